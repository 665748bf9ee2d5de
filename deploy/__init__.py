"""The `weir` command and its subcommands, except `weir processor`, `weir gateway`, `weir acp`."""
