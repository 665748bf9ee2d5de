"""Turns that weir runs itself: from a prompt to the events of its answer."""
