"""Claim a delivery that may be sent now."""
