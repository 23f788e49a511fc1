"""The note of passed trials lasts until the runner's sources change, not until Python caches their bytecode."""

from pathlib import Path

import pytest

from sandbox_runtime.languages import offering
from sandbox_runtime.languages.offering import Trials


def test_cached_bytecode_leaves_the_note_and_a_new_source_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, toolchains = tmp_path / "sources", str(tmp_path)
    (sources / "worker").mkdir(parents=True)
    monkeypatch.setattr(offering, "_SOURCES", sources)

    def have_passed() -> bool:
        return Trials((), toolchains, (), tmp_path / "note").have_passed()

    Trials((), toolchains, (), tmp_path / "note").note()
    assert have_passed()
    (sources / "worker" / "__pycache__").mkdir()
    (sources / "worker" / "__pycache__" / "turn.pyc").touch()
    assert have_passed()
    (sources / "worker" / "turn.py").touch()
    assert not have_passed()
