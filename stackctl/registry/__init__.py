"""The registries behind one port."""
