"""`weir bench`: measures a running server under load, from outside.

There are two kinds of load processes, both controlled by lines of JSON: `readers` opens event
streams, `prober` sends requests on a fixed schedule.
"""
