"""The shell commands of our pages, executed block by block in one shell, as a reader would."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.system.local_stack import ROOT

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_MARK = "@@ the block ended @@"


def blocks(page: str, language: str = "sh") -> list[str]:
    """Fenced blocks of a page in their order, those of list items too."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [textwrap.dedent(found["text"]) for found in _BLOCK.finditer(text) if found["language"] == language]


def copy_example(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy an example into a folder, and put `rustbox` of the tree under test into the path."""
    command = folder / "bin" / "rustbox"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m rustbox_cli "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    for source in (ROOT / "examples" / name).iterdir():
        shutil.copy(source, folder)


class Shell:
    """One bash for all blocks of a page, in a folder that looks like a clone.

    `replaced`: texts of the page that are others here, such as ports.
    """

    def __init__(self, folder: Path, url: str, replaced: dict[str, str]) -> None:
        self._folder = folder
        self._replaced = replaced
        self._early = ""
        for name in ("docs", ".venv"):
            (folder / name).symlink_to(ROOT / name)
        # PYTHONPATH: the tree under test, also where several trees share one .venv.
        self._process = subprocess.Popen(
            ["/bin/bash", "-euo", "pipefail"],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "RUSTBOX_URL": url,
                "XDG_CONFIG_HOME": str(folder / "config"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        os.killpg(self._process.pid, signal.SIGTERM)  # what runs in its background too
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)

    def run(self, block: str) -> str:
        """Execute one block; return what it, and what runs in the background, printed. A command that fails fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for there, here in self._replaced.items():
            block = block.replace(there, here)
        script = self._folder / "block.sh"
        script.write_text(block, encoding="utf-8")
        self._process.stdin.write(f". ./{script.name} </dev/null\necho; echo '{_MARK}'\n")
        self._process.stdin.flush()
        printed, self._early = [self._early], ""
        for line in self._process.stdout:
            if _MARK in line:
                return "".join(printed)
            printed.append(line)
        raise AssertionError(f"this block failed:\n{block}\n{''.join(printed)}")

    def variable(self, name: str) -> str:
        """Return the value of a shell variable; empty if it is not set."""
        # By a file: what the background prints at this moment is not the variable's, it belongs to the next block.
        self._early = self.run(f'printf "%s" "${{{name}-}}" >variable')
        return (self._folder / "variable").read_text(encoding="utf-8")
