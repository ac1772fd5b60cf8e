"""Traces of batches, by setting: where the time of each went. Agents write trails, `export` sends them as spans."""

from parrot_faust.tracing.trail import OFF, Traces, Trail, timed

__all__ = ["OFF", "Traces", "Trail", "timed"]
