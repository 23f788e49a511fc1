"""The controls that contain a guest."""
