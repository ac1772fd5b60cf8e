"""Deciding what is done, what is sent again and in which order. Pure: no broker, no store, no clock of its own."""
