"""The client side of an agent server: its event stream, over HTTP alone.

Works against a gateway of weir and against an opencode.
"""
