"""AWS: clients, secrets, payloads."""
