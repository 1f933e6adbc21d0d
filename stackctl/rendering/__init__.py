"""Pure text: every generated file from a Stack or a catalog."""
