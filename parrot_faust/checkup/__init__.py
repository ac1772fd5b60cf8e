"""What `parrot check` looks at: everything a worker will need, each with what to do where it is not as it must be."""

from parrot_faust.checkup.findings import Finding, Outcome
from parrot_faust.checkup.rounds import look_at

__all__ = ["Finding", "Outcome", "look_at"]
