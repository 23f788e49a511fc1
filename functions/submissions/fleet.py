"""Figures of the whole service, from the runners' heartbeats."""

from collections.abc import Iterable, Sequence
from typing import Any

from functions.messages.languages import Language, canonical
from functions.messages.wire import RunnerHeartbeat


def offered_languages(recent: Sequence[RunnerHeartbeat], fallback: Iterable[str]) -> tuple[Language, ...]:
    """Return the languages of the runners of the last 24 h, in canonical order; `fallback` without any runner."""
    if recent:
        names = {language for heartbeat in recent for language in heartbeat.languages}
    else:
        names = {language for name in fallback if (language := canonical(name)) is not None}
    return tuple(language for language in Language if language in names)


def toolchain_details(offered: Sequence[Language], recent: Sequence[RunnerHeartbeat]) -> list[dict[str, Any]]:
    """Return each offered language with its toolchain versions; several during an upgrade of the fleet."""
    return [
        {
            "name": language.value,
            "toolchains": sorted({one.toolchains[language] for one in recent if one.toolchains.get(language)}),
        }
        for language in offered
    ]


def health_figures(live: Sequence[RunnerHeartbeat], queue_depth: int) -> dict[str, Any]:
    """Describe the live runners. `live` is sorted by the age of the heartbeat, latest first.

    `enforcement_mode` is `strict` only if every live runner is; the backend and the node are those of the latest.
    """
    latest = live[0] if live else None
    return {
        "enforcement_mode": "strict" if live and all(one.isolation_mode == "strict" for one in live) else "permissive",
        "cgroup_backend": latest.cgroup_backend if latest else None,
        "namespace_support": bool(live) and all(one.namespace_support for one in live),
        "workers": sum(one.slots for one in live),
        "queue_depth": queue_depth,
        "node_id": latest.node_id if latest else "",
    }
