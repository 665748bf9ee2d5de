"""ZeroMQ: events from a publisher to subscribers, and commands with their answers."""
