"""Dead letters as people and pages work with them: read, choose, send again, throw away.

`kept` is pure: letters and how they stand, filters and groups. `box` reads them from Kafka and writes what became of
them; `planning` finds out which were replaced since; `sending` asks the workers and waits for their answers.
"""
