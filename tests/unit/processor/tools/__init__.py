"""The tools of the model engine, at real files and real processes."""
