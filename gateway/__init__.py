"""The gateway: sends events to clients, and serves the HTTP routes around them."""
