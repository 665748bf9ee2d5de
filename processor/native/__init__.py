"""Native mode: weir answers prompts itself, from a prompt to the events of its answer."""
