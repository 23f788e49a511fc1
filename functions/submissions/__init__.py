"""A program from its request to its result."""
