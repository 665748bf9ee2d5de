"""The editor's pipe."""
