"""What a worker shows: JSON for tools and a page for people."""
