"""Decides what the editor still has to get of a session: events in, updates out. No I/O."""
