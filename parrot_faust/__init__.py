"""Parrot Faust: change data capture from Debezium to Kudu and HBase, checked on the way.

Importing this package connects to nothing and starts nothing. The Faust application is built on first use of
`parrot_faust.app`, which is what `faust -A parrot_faust worker` asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from faust import App

    app: App


def __getattr__(name: str) -> Any:
    if name == "app":
        from parrot_faust.errors import ParrotError
        from parrot_faust.own_packages import refuse_others

        try:
            refuse_others()  # before the application is imported, for another's packages would fail its imports
        except ParrotError as error:
            raise SystemExit(f"parrot: {error}") from None
        from parrot_faust.application import configured_app

        return configured_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
