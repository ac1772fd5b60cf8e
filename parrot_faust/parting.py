"""The end of a worker that does not come to one by itself."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

#: A worker that is told to stop, or that has to, is gone within 10 s, whoever does not answer.
END_WITHIN_S = 9.5


class Parting:
    """Cuts off an end that takes too long.

    With the broker away Faust and aiokafka wait for minutes, at several places and in two threads: for what is still to
    be sent, for a commit, for the group to be left. What has not been committed by then is read again, as after a
    kill, and a worker that stays would only keep the next one from being started.
    """

    def __init__(
        self,
        tell: Callable[[], int],
        log: logging.Logger,
        within_s: float = END_WITHIN_S,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        """`tell` writes the last line, from another thread, and returns the status to end with."""
        self._tell, self._log, self._within_s, self._leave = tell, log, within_s, leave
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """From now on the time counts."""
        if self._timer is None:
            self._timer = threading.Timer(self._within_s, self._cut)
            self._timer.daemon = True
            self._timer.start()

    def _cut(self) -> None:
        status = 1
        try:
            self._log.warning(
                "the worker has not come to its end in %s s, most likely because the broker does not answer: it is cut "
                "off. What was not committed is read again",
                self._within_s,
            )
            status = self._tell()
            logging.shutdown()
        finally:
            self._leave(status)
