"""stack.yaml becomes a Stack, or errors with file, line and column."""
