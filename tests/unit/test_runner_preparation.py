"""Files made once for a toolchain: whole or not at all, made anew for a new version, open to guests."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.languages import LANGUAGES, Language, PreparationError, binds, is_prepared, prepare
from sandbox_runtime.languages.entry import Prepared
from sandbox_runtime.languages.preparation import command, prepared_path

PYTHON = next(language for language in LANGUAGES if language.name == "python")


def language(make: Callable[[Path], None], *made_from: Path, recipe: str = "1") -> Language:
    return replace(PYTHON, prepared=Prepared("/opt/rustbox/x", make, tuple(map(str, made_from)), recipe))


def path_of(given: Language, folder: Path) -> Path:
    assert given.prepared is not None
    return prepared_path(given.name, given.prepared, str(folder))


def test_files_are_made_once_and_guests_may_read_them(tmp_path: Path) -> None:
    calls = []

    def make(directory: Path) -> None:
        calls.append(directory)
        (directory / "inner").mkdir(mode=0o700)
        (directory / "inner" / "file").touch(mode=0o600)
        (directory / "tool").touch(mode=0o700)

    given = language(make)
    assert not is_prepared(given, str(tmp_path))
    umask = os.umask(0o077)
    try:
        prepare(given, str(tmp_path))
        prepare(given, str(tmp_path))
    finally:
        os.umask(umask)
    assert is_prepared(given, str(tmp_path))
    made = path_of(given, tmp_path)
    modes = [path.stat().st_mode & 0o777 for path in (made, made / "inner", made / "inner" / "file", made / "tool")]
    assert (len(calls), modes) == (1, [0o755, 0o755, 0o644, 0o755])
    mounts = [(mount.source, mount.target) for mount in binds((given,), str(tmp_path))]
    assert mounts == [(str(made), "/opt/rustbox/x")]


def test_a_failed_preparation_leaves_nothing_and_is_retried(tmp_path: Path) -> None:
    attempts = []

    def make(directory: Path) -> None:
        (directory / "half").touch()
        attempts.append(directory)
        if len(attempts) == 1:
            raise PreparationError("compile", "no room")

    given = language(make)
    with pytest.raises(PreparationError, match="compile: no room"):
        prepare(given, str(tmp_path))
    assert not is_prepared(given, str(tmp_path))
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == ["python.lock"]
    prepare(given, str(tmp_path))
    assert is_prepared(given, str(tmp_path))


def test_another_version_or_recipe_has_another_directory(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("one")
    first = path_of(language(Path.touch, tool), tmp_path)
    assert path_of(language(Path.touch, tool), tmp_path) == first
    assert path_of(language(Path.touch, tool, recipe="2"), tmp_path) != first
    os.utime(tool, (1, 1))
    assert path_of(language(Path.touch, tool), tmp_path) != first
    tool.unlink()
    assert path_of(language(Path.touch, tool), tmp_path) != first


def test_a_directory_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "prepared").write_text("a file in the way")
    with pytest.raises(PreparationError, match="prepared"):
        prepare(language(Path.touch), str(tmp_path))


def test_a_failing_command_is_reported_with_its_own_message(tmp_path: Path) -> None:
    with pytest.raises(PreparationError, match="sh: out of luck"):
        command(("/bin/sh", "-c", "echo out of luck >&2; exit 1"), working_directory=tmp_path)


def test_a_command_sees_no_variable_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leak")
    shown = command(("/usr/bin/env",), working_directory=tmp_path, environment={"GOPROXY": "off"}).stdout
    assert {line.partition("=")[0] for line in shown.splitlines()} == {"PATH", "HOME", "LANG", "GOPROXY"}


def test_a_language_without_such_files_is_ready(tmp_path: Path) -> None:
    prepare(PYTHON, str(tmp_path))
    assert is_prepared(PYTHON, str(tmp_path))
    assert list(tmp_path.iterdir()) == []
