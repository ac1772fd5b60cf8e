"""The proxy with faults, which the benchmarks use too."""

from __future__ import annotations

from parrot_faust.bench.proxy import Proxy

__all__ = ["Proxy"]
