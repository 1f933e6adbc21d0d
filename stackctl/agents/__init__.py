"""What runs inside the stack: pure reducers, their loops, and the probe."""
