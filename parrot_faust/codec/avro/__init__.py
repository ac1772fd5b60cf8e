"""Avro bodies of Confluent's framing, read by generated code with an exact reader behind it."""
