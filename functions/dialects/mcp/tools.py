"""The tools, as tools/list describes them: a model knows of the sandbox only what stands here."""

from __future__ import annotations

import copy
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from events.limits import ceilings, default_wall_secs
from events.vocabulary import Language, Profile
from functions.dialects.mcp.arguments import TOOLS
from functions.dialects.mcp.shown_run import LanguageList, ShownRun
from functions.projects.model import NetworkAccess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.projects.model import ProjectNetwork

_MOST_PATTERNS_SHOWN = 8
_CHANGES = ("run_code", "cancel_run")
_RESULTS = {"run_code": ShownRun, "cancel_run": ShownRun, "list_languages": LanguageList}


def tool_list(languages: Sequence[Language], network: ProjectNetwork, packages: Sequence[str]) -> list[dict[str, Any]]:
    """Return all tools, always in the same order. `packages`: those of Python."""
    run_code, *others = (_described(name) for name in TOOLS)
    run_code = copy.deepcopy(run_code)
    run_code["description"] += f" {_run_code_says(languages, network, packages)}"
    run_code["inputSchema"]["properties"]["language"]["enum"] = [str(language) for language in languages]
    run_code["annotations"]["openWorldHint"] = network.access is not NetworkAccess.NONE
    run_code["execution"] = {"taskSupport": "optional"}
    return [run_code, *others]


@cache
def _described(name: str) -> dict[str, Any]:
    schema = TOOLS[name].model_json_schema()
    texts = {text: " ".join(schema.pop(text).split()) for text in ("title", "description")}
    hints = {"readOnlyHint": name not in _CHANGES, "destructiveHint": name == "cancel_run", "openWorldHint": False}
    result = {"outputSchema": TypeAdapter(_RESULTS[name]).json_schema()} if name in _RESULTS else {}
    return {"name": name, **texts, "inputSchema": schema, "annotations": hints, **result}


def _run_code_says(languages: Sequence[Language], network: ProjectNetwork, packages: Sequence[str]) -> str:
    first = languages[0] if languages else Language.PYTHON
    limits, wall_secs = ceilings(first, Profile.AGENT), default_wall_secs(first, Profile.AGENT)
    sentences = [
        f"Languages: {', '.join(languages)}.",
        "Each run begins in an empty directory: nothing of an earlier run is there, so pass files that it needs.",
        "Files that it writes into its working directory come back as artifacts; pictures are shown.",
        f"Limits: {limits.cpu_time_secs} s of CPU time, {wall_secs} s in all, {limits.memory_mb:,} MiB of memory,",
        f"{limits.output_kb:,} KiB of stdout and of stderr.",
        _network(network),
        f"Python has these packages besides the standard library: {', '.join(packages)}."
        if packages
        else "There is the standard library only, and nothing can be installed: send modules as files.",
    ]
    return " ".join(sentences)


def _network(network: ProjectNetwork) -> str:
    if network.access is NetworkAccess.NONE:
        return "There is no network."
    if network.access is NetworkAccess.PUBLIC:
        return "A program reaches only the public hosts that the argument network names, by name, port 443 by default."
    shown = ", ".join(network.allow[:_MOST_PATTERNS_SHOWN])
    more = f" and {len(network.allow) - _MOST_PATTERNS_SHOWN} more" if len(network.allow) > _MOST_PATTERNS_SHOWN else ""
    return f"A program reaches only the hosts that the argument network names; this project may name {shown}{more}."
