"""Pure decisions: what a stack should be on an engine, and what must happen for it."""
