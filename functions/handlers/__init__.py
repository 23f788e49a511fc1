"""Lambda entry points, and the wiring of their parts."""
