"""Peers to measure beside. Each is optional: one that can't be had raises `Missing` and is named in the tables."""
