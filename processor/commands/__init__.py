"""Executes the commands of gateways; the answer is the JSON for the HTTP client."""
