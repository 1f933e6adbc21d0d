"""Single questions to a running stack, each over a fresh connection."""
