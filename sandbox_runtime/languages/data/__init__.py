"""Packages such as numpy that Python programs may import, where they are installed."""
