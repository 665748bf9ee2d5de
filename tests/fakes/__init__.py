"""Stand-ins for what weir talks to, each a real process on a loopback port."""
