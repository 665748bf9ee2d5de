"""How weir is run: the `weir` command and its parts."""
