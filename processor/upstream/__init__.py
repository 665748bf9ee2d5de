"""Events from an opencode: reads its event stream over one connection, and heals after a cut.

To heal is to fetch the events that were missed while the stream was cut, and to publish them.
"""
