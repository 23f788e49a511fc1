"""The error of a deployment."""


class DeployError(Exception):
    """A step failed. The text names the step, the reason and the way out."""
