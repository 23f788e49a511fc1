"""The error that stops the start of the local stack."""


class StartError(Exception):
    """One line for the person at the terminal: the problem and its remedy."""
