"""A gateway's reports about itself: status, metrics, history and readiness."""
