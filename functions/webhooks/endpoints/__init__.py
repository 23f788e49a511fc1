"""Endpoints of a project: addresses, secrets, health."""
