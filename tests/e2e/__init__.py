"""Whole stacks on a real engine, driven by the command line that people use."""
