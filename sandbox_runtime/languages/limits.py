"""Limits that a request asks for, checked against the ceilings of its profile."""

from dataclasses import dataclass, replace

from sandbox_runtime.jail.spec import Limits

KIB = 1024
MIB = 1024 * KIB


class LimitRefusedError(Exception):
    """A requested limit is not positive or is above the profile's ceiling."""

    def __init__(self, limit: str, ceiling: float) -> None:
        self.limit = limit
        self.ceiling = ceiling
        super().__init__(f"limit {limit} must be above 0 and at most {ceiling}")


@dataclass(frozen=True, slots=True)
class Profile:
    """Default limits of the run step and the highest that a request may ask for."""

    limits: Limits
    ceiling: Limits


def choose_limits(
    profile: Profile,
    *,
    cpu_time_secs: float | None,
    wall_time_secs: float | None,
    memory_mb: int | None,
    max_processes: int | None,
    output_kb: int | None,
) -> Limits:
    """Limits of the run step, None standing for the profile's default. Raises LimitRefusedError."""
    limits, ceiling = profile.limits, profile.ceiling
    return replace(
        limits,
        cpu_time_secs=_chosen("cpu_time_secs", cpu_time_secs, limits.cpu_time_secs, ceiling.cpu_time_secs),
        wall_time_secs=_chosen("wall_time_secs", wall_time_secs, limits.wall_time_secs, ceiling.wall_time_secs),
        memory_bytes=_bytes("memory_mb", memory_mb, MIB, limits.memory_bytes, ceiling.memory_bytes),
        max_processes=int(_chosen("max_processes", max_processes, limits.max_processes, ceiling.max_processes)),
        output_bytes=_bytes("output_kb", output_kb, KIB, limits.output_bytes, ceiling.output_bytes),
    )


def _chosen(name: str, asked: float | None, default: float, ceiling: float) -> float:
    if asked is None:
        return default
    if not 0 < asked <= ceiling:  # NaN fails both comparisons
        raise LimitRefusedError(name, ceiling)
    return asked


def _bytes(name: str, asked: int | None, unit: int, default: int, ceiling: int) -> int:
    return default if asked is None else int(_chosen(name, asked, 0, ceiling // unit)) * unit
