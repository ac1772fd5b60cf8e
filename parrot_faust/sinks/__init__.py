"""The stores: one folder each behind one protocol (`base`), each client in a process of its own (`process`)."""
