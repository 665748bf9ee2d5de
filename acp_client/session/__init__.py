"""One session as the editor sees it: events in, updates out, no I/O."""
