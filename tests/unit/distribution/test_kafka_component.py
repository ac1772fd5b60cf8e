"""What Kafka's part of the distribution decides before a process runs."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode

from parrot_faust.distribution.components.kafka import cluster_id


def test_a_cluster_s_id_never_begins_as_an_option_does() -> None:
    like_an_option, plain = uuid.UUID(bytes=b"\xf8" * 16), uuid.UUID(bytes=b"\x01" * 16)
    drawn = iter([like_an_option, like_an_option, plain])
    assert urlsafe_b64decode(cluster_id(lambda: next(drawn)) + "==") == plain.bytes
    assert next(drawn, None) is None
