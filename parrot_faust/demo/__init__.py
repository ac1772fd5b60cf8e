"""The demo: a shop whose changes are captured, checked and compared. See `run`."""
