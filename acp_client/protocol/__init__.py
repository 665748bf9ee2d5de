"""The two protocols: what a server says, and what an editor says. No I/O."""
