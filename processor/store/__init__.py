"""What a processor remembers: sessions, messages and parts, in one SQLite file."""
