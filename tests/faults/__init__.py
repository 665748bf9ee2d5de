"""Faults on purpose: a proxy that breaks connections, readers that watch for what is lost or
doubled, a soak that joins both, and the deaths of whole processes.
"""
