"""Comparing source tables with Kudu and HBase while everything runs.

Its reading of the stores is written from `docs/stored-types.md` and shares no type mapping with the writers.
"""
