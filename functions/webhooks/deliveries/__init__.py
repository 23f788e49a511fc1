"""Deliveries: which event is owed to which endpoint, and what became of it."""
