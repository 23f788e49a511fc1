"""Sending: claim a delivery, sign it, post it, record the attempt."""
