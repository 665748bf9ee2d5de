"""Carries out a gateway's commands: an answer is the JSON that the HTTP client gets."""
