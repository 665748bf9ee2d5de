"""What a session shows beside text: tools, diffs, plans, usage, options, and what they ask."""
