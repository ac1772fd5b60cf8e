"""kudu-python as a wheel of our own making: `ensure_wheel` builds it once, `install` puts it into an environment."""

from __future__ import annotations

from parrot_faust.distribution.kudu_python.build import ensure_wheel, install

__all__ = ["ensure_wheel", "install"]
