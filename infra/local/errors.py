"""What stops the local stack from starting."""


class StartError(Exception):
    """One line for the person at the terminal: what is wrong and what to do about it."""
