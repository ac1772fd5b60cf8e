"""The fault suite: `make faults`. Breaks things on the real servers and judges by an oracle that reads for itself.

python tests/fault/run.py [--only N[,N...]] [--seed S] [--quick] [--json FILE] [--state FOLDER] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

from faults import Fault, all_faults
from report import Result, table_of
from rich.console import Console
from world import World, scene_folder

from parrot_faust.distribution import Local

STATE = HERE.parents[1] / ".parrot" / "faults"


@contextmanager
def servers(state: Path, *, keep: bool = False) -> Iterator[Local]:
    """A distribution of the suite's own, since its servers are killed and frozen; down at the end unless kept."""
    local = Local(Path(os.environ.get("PARROT_FAULTS_STATE", state)).absolute(), Local.here().cache)
    local.up()
    scene_folder(local).mkdir(exist_ok=True)
    try:
        yield local
    finally:
        if not keep:
            local.down()


def run(faults: Sequence[Fault], world: World) -> list[Result]:
    """Try the faults one after the other. What one has broken is up again before the next begins."""
    results = []
    for fault in faults:
        world.say(f"fault {fault.number}: {fault.title}")
        world.local.up()
        result = fault.run(world, fault)
        for shortfall in result.shortfalls():
            world.say(f"  ✗ {shortfall}")
        world.say(f"  {'passed' if result.passed else 'FAILED'} after {result.seconds:.0f} s")
        results.append(result)
    return results


def main() -> int:
    """Run what the arguments ask for; 0 only when every fault was survived."""
    parser = argparse.ArgumentParser(prog="make faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", default=[], help="numbers of faults, separated by commas")
    parser.add_argument("--seed", type=int, default=1, help="the same seed does the same work")
    parser.add_argument("--quick", action="store_true", help="the subset that `make test` runs, with fewer firings")
    parser.add_argument("--json", type=Path, help="write the results to a file")
    parser.add_argument("--state", type=Path, default=STATE, help="the state folder of the suite's servers")
    parser.add_argument("--keep", action="store_true", help="leave the servers running, for the next run")
    asked = parser.parse_args()
    faults = all_faults()
    numbers = [int(number) for part in asked.only for number in part.split(",")] or list(faults)
    if unknown := [number for number in numbers if number not in faults]:
        parser.error(f"there is no fault {unknown[0]}; there are {', '.join(map(str, faults))}")
    chosen = [faults[number] for number in numbers if not asked.quick or faults[number].quick is not None]
    console = Console(width=None if sys.stdout.isatty() else 140)
    began = time.monotonic()
    with servers(asked.state, keep=asked.keep) as local:
        world = World(local, asked.seed, asked.quick, lambda text: console.print(text, highlight=False, markup=False))
        results = run(chosen, world)
    console.print(table_of(results))
    for result in results:
        for problem in result.plain()["problems"]:
            console.print(f"✗ {result.number}: {problem}", markup=False, highlight=False)
    passed = all(result.passed for result in results)
    console.print(f"{len(results)} faults, {time.monotonic() - began:.0f} s, seed {asked.seed}")
    if asked.json is not None:
        report = {"seed": asked.seed, "passed": passed, "faults": [result.plain() for result in results]}
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if passed and results else 1


if __name__ == "__main__":
    sys.exit(main())
