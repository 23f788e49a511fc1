"""Cancel a submission: mark its row, tell its runner, and end it if no runner has begun it.

cancellation.py   the use case; docs/adr has who learns of it, and how
"""
