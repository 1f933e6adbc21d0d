"""Verdicts and listings as table, JSON and JUnit."""
