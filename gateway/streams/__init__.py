"""Event streams: their readers, what is sent to each reader and when, and how streams end."""
