"""Alerts: events that tell a project's other endpoints of failing endpoints and deliveries."""
