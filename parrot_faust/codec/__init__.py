"""Debezium's bytes made into changes. Pure: schemas of the registry are asked for by id and told."""

from __future__ import annotations

from parrot_faust.codec.decoder import Decoder
from parrot_faust.codec.record import Decoded, Failure, Record, Segment

__all__ = ["Decoded", "Decoder", "Failure", "Record", "Segment"]
