"""One attack a module; see `tests.hostile`."""
