"""What a gateway reports of itself: status, metrics, history and readiness."""
