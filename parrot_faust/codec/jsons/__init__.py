"""JSON events, with Connect's schema beside the payload and without."""
