"""An event stream as text for a person. Events in, text out; the caller owns the terminal."""
