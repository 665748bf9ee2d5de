"""The bridge: reads all sources from Redis, once for all gateway workers of a machine."""
