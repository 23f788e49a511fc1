"""`pip install .` and `pipx install .` in a checkout, and the wheel of a release, give the command `rustbox`."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.release.wheel import build_wheel
from tests.system.local_stack import API_KEY, ROOT, LocalStack

_INSTALL_SECS = 240
_OLDEST_MINOR, _NEWEST_MINOR = 10, 13
_PIPX = Path("/usr/bin/pipx")


def _found(minor: int) -> Iterator[str]:
    """The interpreters 3.<minor> of this host with venv: those of pyenv, and that on PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python3.{minor}", path=f"{os.environ['PATH']}:/usr/bin")
    for path in (*sorted(map(str, pyenv.glob(f"3.{minor}.*/bin/python"))), on_path):
        if path and subprocess.run([path, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            yield path


def _oldest() -> str:
    """The oldest interpreter of this host that the command line supports; Debian 13 alone has only 3.13."""
    return next(path for minor in range(_OLDEST_MINOR, _NEWEST_MINOR + 1) for path in _found(minor))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("release"))


@pytest.mark.timeout(2 * _INSTALL_SECS)
@pytest.mark.parametrize("interpreter", sorted({_oldest(), "/usr/bin/python3.13"}))
def test_the_installed_command_runs_a_program(interpreter: str, wheel: Path, stack: LocalStack, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([interpreter, "-m", "venv", environment], check=True, timeout=_INSTALL_SECS)
    before = {path.name for path in ROOT.iterdir()}
    pip = environment / "bin" / "pip"
    # Both builds give the same files: one interpreter takes the checkout too. The environment stays, it takes longest.
    for source in (wheel, ROOT) if interpreter == _oldest() else (wheel,):
        install(pip, "install", source)
        assert_it_runs(environment / "bin" / "rustbox", stack, tmp_path)
        install(pip, "uninstall", "--yes", "rustbox-cli")
    assert {path.name for path in ROOT.iterdir()} == before


@pytest.mark.timeout(2 * _INSTALL_SECS)
def test_pipx_installs_the_checkout(stack: LocalStack, tmp_path: Path) -> None:
    assert _PIPX.exists(), "run `make system`: this test needs the package pipx"
    folders = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    install(_PIPX, "install", "--python", _oldest(), ROOT, **folders)
    assert_it_runs(tmp_path / "bin" / "rustbox", stack, tmp_path)


def install(tool: Path, *arguments: str | Path, **variables: str) -> None:
    done = subprocess.run(
        [tool, *arguments, "--quiet"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_SECS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def assert_it_runs(command: Path, stack: LocalStack, folder: Path) -> None:
    (folder / "program.py").write_text("print(6 * 7)\n")
    ran = subprocess.run(
        [command, "run", "program.py"],
        cwd=folder,
        env={"RUSTBOX_URL": stack.url, "RUSTBOX_API_KEY": API_KEY, "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (0, "42\n"), ran.stderr
