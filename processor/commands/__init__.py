"""Executes the commands that gateways send; each answer is JSON for the gateway's HTTP client."""
