"""Lanes: queues of deliveries to one target, with a circuit breaker."""
