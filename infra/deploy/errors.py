"""The error of a deployment."""


class DeployError(Exception):
    """A step failed. The text says which, why, and what to do next."""
