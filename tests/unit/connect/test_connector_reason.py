"""Why a connector failed is told so that a person can read it."""

from __future__ import annotations

from parrot_faust.connect.client import MAX_ERROR, ConnectorStatus, TaskStatus, WorkerState

STATEMENT = "\n".join(
    ["CREATE TABLE `types` (", *(f"  `c{number}` int(11) DEFAULT NULL," for number in range(100)), ")"]
)
TRACE = f"""org.apache.kafka.connect.errors.ConnectException: the connector will be stopped.
\tat io.debezium.pipeline.ErrorHandler.setProducerThrowable(ErrorHandler.java:67)
Caused by: io.debezium.text.ParsingException: DDL statement couldn't be parsed: {STATEMENT}
no viable alternative at input 'inet6'
\tat io.debezium.antlr.ParsingErrorListener.syntaxError(ParsingErrorListener.java:43)
Caused by: io.debezium.text.ParsingException: DDL statement couldn't be parsed: {STATEMENT}
\t... 5 more
Caused by: org.antlr.v4.runtime.NoViableAltException
"""


def test_errors_and_their_causes_are_told_once_and_cut() -> None:
    found = ConnectorStatus("mine", WorkerState("RUNNING"), (TaskStatus(0, "FAILED", trace=TRACE),))
    first, parsing, last = found.reason.split("; ", 1)[0], found.reason.count("ParsingException"), found.reason[-60:]
    assert first == "org.apache.kafka.connect.errors.ConnectException: the connector will be stopped."
    assert parsing == 1
    assert last.endswith("Caused by: org.antlr.v4.runtime.NoViableAltException")
    assert "at io.debezium" not in found.reason
    assert len(found.reason) < 3 * MAX_ERROR
