"""Alerts: events about failing endpoints and deliveries, for the project's other endpoints."""
