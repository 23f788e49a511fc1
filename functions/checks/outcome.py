"""The outcome of one run, as assertions see it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run gave. Secrets in the output are masked already: assertions show parts of it."""

    verdict: str
    exit_code: int | None
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    wall_time_secs: float | None
    memory_peak_bytes: int | None
