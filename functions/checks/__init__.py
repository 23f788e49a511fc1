"""Checks: saved programs that run on a schedule, and events when their state changes."""
