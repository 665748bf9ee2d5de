"""`weir doctor`: checks a running server by sending it requests, as any client does."""
