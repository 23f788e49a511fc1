"""Versions of the shape of events. An endpoint keeps the version with which it was created."""

CURRENT_VERSION = "2026-11-27"
API_VERSIONS = (CURRENT_VERSION,)
