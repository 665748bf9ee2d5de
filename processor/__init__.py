"""The processor: runs the turns of sessions, stores them, and publishes their events."""
