"""Trails as OpenTelemetry's spans: one of the batch, and one below it for each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from parrot_faust import __version__
from parrot_faust.tracing.trail import Trail

_SCOPE = InstrumentationScope("parrot_faust", __version__)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class Spans:
    """Makes spans of a consumer group's batches. Names follow OpenTelemetry's conventions where it has some."""

    def __init__(self, group: str, worker: str) -> None:
        self._group, self._ids = group, RandomIdGenerator()
        self._resource = Resource.create(
            {"service.name": group, "service.version": __version__, "service.instance.id": worker}
        )

    def of(self, trail: Trail) -> Iterator[ReadableSpan]:
        trace_id = self._ids.generate_trace_id()
        batch = self._context(trace_id)
        yield self._span(
            f"process {trail.topic}",
            batch,
            trail.began,
            trail.ended,
            kind=SpanKind.CONSUMER,
            attributes=self._attributes(trail),
            status=Status(StatusCode.ERROR, trail.error) if trail.error else Status(StatusCode.OK),
        )
        for step in trail.steps:
            yield self._span(step.name, self._context(trace_id), step.began, step.ended, parent=batch)

    def _attributes(self, trail: Trail) -> Mapping[str, Any]:
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": trail.topic,
            "messaging.destination.partition.id": str(trail.partition),
            "messaging.consumer.group.name": self._group,
            "parrot.agent": trail.agent,
            "parrot.first_offset": trail.first,
            "parrot.last_offset": trail.last,
        }
        attributes |= {f"parrot.{name}": value for name, value in trail.attributes.items()}
        return attributes | ({"parrot.steps_left_out": trail.left_out} if trail.left_out else {})

    def _context(self, trace_id: int) -> SpanContext:
        return SpanContext(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED)

    def _span(self, name: str, context: SpanContext, began: int, ended: int, **more: Any) -> ReadableSpan:
        return ReadableSpan(
            name,
            context,
            resource=self._resource,
            instrumentation_scope=_SCOPE,
            start_time=began,
            end_time=ended,
            **more,
        )
