"""Probe the isolation of this host, and advise on missing controls."""
