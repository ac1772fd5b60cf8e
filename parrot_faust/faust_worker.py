"""Faust's worker with our log, and which says by what signal it was ended."""

from __future__ import annotations

import logging
import signal

import faust

from parrot_faust.logs.setup import configure
from parrot_faust.secret import secrets_in


class ParrotWorker(faust.Worker):
    """Runs a `ParrotApp`."""

    def on_setup_root_logger(self, logger: logging.Logger, level: int) -> None:  # noqa: ARG002 - Faust's signature
        self.spinner = None  # it writes between the lines, and has every message of every level made for it
        settings = self.app.parts.settings
        log = settings.log
        configure(logger, form=log.format, level=log.level, repeats=log.repeats, secrets=secrets_in(settings))

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        self.app.parts.ending.because(f"signal {signal.name}")
        super()._schedule_shutdown(signal)
