"""What weir's processes share: events, commands, their transport, and how a process runs."""
