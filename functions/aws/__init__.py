"""AWS clients, secrets and payloads."""
