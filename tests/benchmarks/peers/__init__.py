"""``python -m tests.benchmarks.peers``: weir beside other servers of event streams.

The same work goes through each server in turn, several rounds, on one machine: so read ratios.
What cannot be had on a machine is named in the result.
"""
