"""`weir bench`: measures a running server under load, with requests as clients send them.

Two processes make the load, and are controlled by lines of JSON: `readers` opens event streams,
`prober` sends requests at fixed times.
"""
