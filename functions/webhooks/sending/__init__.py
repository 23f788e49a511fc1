"""Sending: claim a delivery, sign it, POST it, record the attempt."""
