"""What commands that measure share: whether what they need is running, and how a target that was met is shown."""

from __future__ import annotations

from parrot_faust.distribution import Local
from parrot_faust.errors import DistributionError


def running(*components: str) -> Local:
    """The local distribution. Raise DistributionError when one of these is down."""
    local = Local.here()
    if missing := [name for name in components if name not in local.running()]:
        raise DistributionError(f"{', '.join(missing)} not running; start with `parrot up`")
    return local


def mark(met: bool) -> str:
    """Whether a target was met, for people."""
    return "[green]✓[/]" if met else "[red]✗[/]"
