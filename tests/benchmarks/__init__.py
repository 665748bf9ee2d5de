"""How fast, how steady, how large: each benchmark is one command that prints a table.

`python -m tests.benchmarks.peers` measures weir beside other servers, `python -m
tests.benchmarks.bus` its bus; `make bench` runs all. They talk to the loopback only, and end what
they start. The load generator is that of `weir bench` (`deploy/bench`).
"""
