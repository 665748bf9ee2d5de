"""`weir bench`: what a running server does under load, measured from outside.

The load generator is two kinds of process, both controlled by lines of JSON: `readers` holds
event streams, `prober` asks for a page on a fixed schedule.
"""
