"""How fast, how steady, how large: each benchmark is one command that prints a table.

`python -m tests.benchmarks.storm` and `python -m tests.benchmarks.bus`. They talk to the
loopback only, and end what they start.
"""
