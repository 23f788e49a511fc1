"""Signed calls over HTTP: `deployment` wires the parts that take them, `routes` answers."""
