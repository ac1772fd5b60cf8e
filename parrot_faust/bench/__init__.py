"""Measurements that a user can repeat: `parrot bench`. Nothing here is run by tests for its figures."""
