"""Deliveries: one event for one endpoint each, with state and attempts."""
