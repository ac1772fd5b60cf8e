"""Examples of every command, which its help ends with and the documentation shows; a test parses each."""

from __future__ import annotations

import click

#: command -> what may be typed; a group's are those of its commands
EXAMPLES: dict[str, tuple[str, ...]] = {
    "up": ("parrot up", "parrot up kudu"),
    "down": ("parrot down",),
    "status": ("parrot status", "parrot status --json"),
    "logs": ("parrot logs connect --follow",),
    "fetch": ("parrot fetch --verify",),
    "sql": ("parrot sql 'select count(*) from orders'",),
    "rows": ("parrot rows kudu public.orders --limit 5", "parrot rows hbase shop.public.order_lines --key '17|2'"),
    "schema approve": ("parrot schema approve shop.public.orders",),
    "schema diff": ("parrot schema diff shop.public.orders",),
    "schema history": ("parrot schema history shop.public.orders --json",),
    "schema plan": ("parrot schema plan",),
    "schema reject": ("parrot schema reject shop.public.orders",),
    "init": (
        "parrot init --local --postgres postgresql://reader@db/shop --schema public --prefix shop",
        "parrot init --brokers kafka:9092 --registry http://registry:8081 --kudu kudu:7051",
    ),
    "check": ("parrot check", "parrot check --connect http://127.0.0.1:8083 --json"),
    "top": ("parrot top", "parrot top --url http://127.0.0.1:6067 --once"),
    "connector create": ("parrot connector create shop connector.json",),
    "connector delete": ("parrot connector delete shop --yes",),
    "connector list": ("parrot connector list",),
    "connector pause": ("parrot connector pause shop", "parrot connector --sinks pause kudu"),
    "connector restart": ("parrot connector restart shop",),
    "connector resume": ("parrot connector resume shop",),
    "connector status": ("parrot connector status shop --json",),
    "deadletters discard": ("parrot deadletters discard --reason DecodeError --since 2h --dry-run",),
    "deadletters list": ("parrot deadletters list", "parrot deadletters list --topic 'shop.public.*' --each"),
    "deadletters replay": ("parrot deadletters replay --reason UnknownSchema --dry-run",),
    "deadletters show": ("parrot deadletters show shop.public.orders/0/1234",),
    "quarantine discard": ("parrot quarantine discard --table orders --rule status.be_in_set --dry-run",),
    "quarantine list": ("parrot quarantine list --table orders",),
    "quarantine redrive": (
        "parrot quarantine redrive --table orders --rule status.be_in_set",
        "parrot quarantine redrive shop.public.orders/0/1234 --set status=paid --yes",
    ),
    "quarantine show": ("parrot quarantine show --table orders --limit 2",),
    "demo": ("parrot demo --changes 5000", "parrot demo --once --json report.json"),
    "verify": ("parrot verify", "parrot verify --table public.orders --repair", "parrot verify --every 1h --json"),
    "rules apply": ("parrot rules apply quality_rules/orders.yaml",),
    "rules backtest": ("parrot rules backtest quality_rules/orders.yaml --since 1h",),
    "rules check": ("parrot rules check quality_rules/orders.yaml --registry http://127.0.0.1:8081",),
    "rules history": ("parrot rules history shop.public.orders",),
    "rules import": ("parrot rules import gx --to quality_rules",),
    "rules list": ("parrot rules list",),
    "rules pause": ("parrot rules pause shop.public.orders",),
    "rules remove": ("parrot rules remove shop.public.orders",),
    "rules resume": ("parrot rules resume shop.public.orders",),
    "rules suggest": ("parrot rules suggest orders --to quality_rules/orders.yaml",),
    "rules test": ("parrot rules test quality_rules/tests",),
    "breaker list": ("parrot breaker list",),
    "breaker resume": ("parrot breaker resume shop.public.orders",),
    "bench backpressure": ("parrot bench backpressure --delay 0.5",),
    "bench pipeline": ("parrot bench pipeline --format avro --sink kudu",),
    "bench rules": ("parrot bench rules --no-great-expectations",),
    "bench schema": ("parrot bench schema",),
    "bench tables": ("parrot bench tables --tables 500",),
    "bench web": ("parrot bench web --no-pipeline",),
    "bench takeover": ("parrot bench takeover",),
    "bench transport": ("parrot bench transport --rounds 3",),
    "bench verify": ("parrot bench verify --rows 1000000",),
    "simulate": ("parrot simulate --runs 1000", "parrot simulate --seed 7"),
    "completion": ('eval "$(parrot completion bash)"', "parrot completion fish"),
}


def examples_of(command: click.Command, path: str) -> tuple[str, ...]:
    """The examples of a command; of a group the first one of each of its commands."""
    if isinstance(command, click.Group):
        return tuple(EXAMPLES[f"{path} {name}"][0] for name in command.commands if f"{path} {name}" in EXAMPLES)
    return EXAMPLES.get(path, ())
