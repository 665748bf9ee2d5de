"""Where events come from: the turns of sessions, their engines and their store."""
