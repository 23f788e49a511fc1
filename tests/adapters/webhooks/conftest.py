"""Fixtures of the webhooks' tests."""

from tests.adapters.webhooks.raw_receivers import authority, start

__all__ = ["authority", "start"]
