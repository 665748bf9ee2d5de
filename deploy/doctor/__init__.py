"""`weir doctor`: checks a running server from outside, as a client would."""
