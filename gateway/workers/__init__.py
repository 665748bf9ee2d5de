"""Runs the gateway with gunicorn: a master process, worker processes, a shared socket."""
