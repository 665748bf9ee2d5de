"""The server's HTTP routes and its event stream."""
