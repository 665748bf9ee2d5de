"""The gateway: sends events to clients, and answers or forwards their other HTTP requests."""
