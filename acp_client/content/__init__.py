"""Converts opencode's data to ACP's: tool calls, diffs, plans, usage, options, permissions."""
