"""The connection to the server: requests to its HTTP routes, and its event stream."""
