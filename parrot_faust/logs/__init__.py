"""A worker's log: a line an event with fields of its own, repeats counted, and a summary of its beginning and end."""

from parrot_faust.logs.fields import at, named, of_batch

__all__ = ["at", "named", "of_batch"]
