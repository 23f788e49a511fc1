"""What the runners' heartbeats say about the service as a whole."""

from collections.abc import Iterable, Sequence
from typing import Any

from functions.messages.languages import Language, canonical
from functions.messages.wire import RunnerHeartbeat


def offered_languages(recent: Sequence[RunnerHeartbeat], fallback: Iterable[str]) -> tuple[Language, ...]:
    """Return what the runners of the last 24 h can run; `fallback` where none was heard of. In canonical order."""
    if recent:
        names = {language for heartbeat in recent for language in heartbeat.languages}
    else:
        names = {language for name in fallback if (language := canonical(name)) is not None}
    return tuple(language for language in Language if language in names)


def toolchain_details(offered: Sequence[Language], recent: Sequence[RunnerHeartbeat]) -> list[dict[str, Any]]:
    """Each offered language with the toolchain versions that runners told of; several while a fleet is renewed."""
    return [
        {
            "name": language.value,
            "toolchains": sorted({one.toolchains[language] for one in recent if one.toolchains.get(language)}),
        }
        for language in offered
    ]


def health_figures(live: Sequence[RunnerHeartbeat], queue_depth: int) -> dict[str, Any]:
    """Describe the runners heard of in the last minute, youngest first. Nothing is claimed that no runner reported.

    `enforcement_mode` is `strict` only if every live runner is; the backend and the node are those of the youngest.
    """
    youngest = live[0] if live else None
    return {
        "enforcement_mode": "strict" if live and all(one.isolation_mode == "strict" for one in live) else "permissive",
        "cgroup_backend": youngest.cgroup_backend if youngest else None,
        "namespace_support": bool(live) and all(one.namespace_support for one in live),
        "workers": sum(one.slots for one in live),
        "queue_depth": queue_depth,
        "node_id": youngest.node_id if youngest else "",
    }
