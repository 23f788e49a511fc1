"""Cancel a submission: mark its row, tell its runner, and end it if no runner has begun it.

cancellation.py   the use case; docs/adr/0033-a-runner-is-told-what-to-stop.md says who learns of it, and how
"""
