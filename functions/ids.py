"""Create ids."""

import uuid


def new_id() -> str:
    """Return a random UUID in lower case."""
    return str(uuid.uuid4())
