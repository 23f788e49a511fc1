"""The stop of one request: by its project, or because the runner drains."""

from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class RunStop:
    """`fd`: becomes readable to stop the request, and stays so. `is_cancelled`: its project stopped it, for good.

    Without that the runner drains: the request has no result, and must run again.
    """

    fd: int
    is_cancelled: bool = False
