"""The gateway: the relay of events to clients, and the HTTP routes around it."""
