"""Webhook endpoints of projects: URL, secret, health."""
