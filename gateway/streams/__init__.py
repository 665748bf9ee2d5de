"""Event streams: their readers, what each is sent and when, and how each ends."""
