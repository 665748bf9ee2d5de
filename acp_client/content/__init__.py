"""The content of a session besides text: tools, diffs, plans, usage, options, and asks."""
