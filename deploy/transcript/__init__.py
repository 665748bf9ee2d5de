"""Turns the events of a stream into the text that `weir tail` prints for a person. No I/O."""
