"""The one reader of an opencode, which always drains: where events come from in front of one."""
