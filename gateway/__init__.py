"""Where events go: the relay, and the HTTP surface around it."""
