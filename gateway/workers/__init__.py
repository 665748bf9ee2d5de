"""Gunicorn: its master, its workers, and the socket that they share."""
