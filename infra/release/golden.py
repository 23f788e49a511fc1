"""The golden messages of a release, which the next minor version must still read: `events/released/<minor>/`."""

from __future__ import annotations

import shutil
from pathlib import Path

from functions import VERSION
from infra.deploy.building.package import ROOT

KINDS = (
    "execution_requested",
    "execution_started",
    "execution_completed",
    "runner_heartbeat",
    "judge_requested",
    "judge_progress",
    "judge_completed",
)
_EVENTS = ROOT / "events"


def store(events: Path = _EVENTS) -> bool:
    """Copy today's golden messages into the folder of this minor version. Return whether it changed."""
    folder = events / "released" / VERSION.rpartition(".")[0]
    messages = {
        Path(kind) / path.name: path.read_text(encoding="utf-8")
        for kind in KINDS
        for path in (events / kind).glob("v*.json")
        if not path.name.endswith(".schema.json")
    }
    if messages == {path.relative_to(folder): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in messages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return True
