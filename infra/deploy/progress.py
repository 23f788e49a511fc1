"""Progress of a deployment on standard output: one line a step, with the seconds since the start."""

import sys
import time


class Progress:
    """Writes lines. A terminal or a pipe, without colours."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def step(self, name: str, text: str) -> None:
        """Print the result of a step."""
        sys.stdout.write(f"{time.monotonic() - self._started:6.1f} s  {name:<10} {text}\n")
        sys.stdout.flush()

    def plain(self, text: str = "") -> None:
        """Write lines of text without a time."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
