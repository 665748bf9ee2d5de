"""The stored state of a processor: sessions, messages and parts, in one SQLite file."""
