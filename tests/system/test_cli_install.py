"""`pip install .` and `pipx install .` in a checkout, and the wheel of a release, give the command `rustbox`."""

import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.release import build_wheel
from tests.commands import run_to_end
from tests.large_run import CODE, ENDLESS_CODE, ENDLESS_OUTPUT, INPUT_BYTES, LargeRun
from tests.system.local_stack import API_KEY, ROOT, LocalStack

_INSTALL_SECS = 240
_OLDEST_MINOR, _NEWEST_MINOR = 10, 13
_PIPX = Path("/usr/bin/pipx")
_CALL_SECS = 60


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
@pytest.mark.parametrize(
    ("interpreter", "from_wheel"),
    [
        (_oldest(), True),
        *(pytest.param(path, True, marks=pytest.mark.whole) for path in {"/usr/bin/python3.13"} - {_oldest()}),
        # Both builds give the same files.
        pytest.param(_oldest(), False, marks=pytest.mark.whole),
    ],
)
def test_the_installed_command_runs_programs(
    interpreter: str, wheel: Path, stack: LocalStack, tmp_path: Path, *, from_wheel: bool
) -> None:
    environment = tmp_path / "environment"
    subprocess.run([interpreter, "-m", "venv", "--without-pip", environment], check=True, timeout=_INSTALL_SECS)
    before = {path.name for path in ROOT.iterdir()}
    # A pip of its own, and compiling what no call imports, would take half of the test's CPU time.
    pip = ROOT / ".venv" / "bin" / "pip"
    install(pip, "--python", str(environment), "install", "--no-compile", wheel if from_wheel else ROOT)
    assert_it_is_all_in(environment, tmp_path)
    assert_it_runs(environment / "bin" / "rustbox", stack, tmp_path)
    assert {path.name for path in ROOT.iterdir()} == before


@pytest.mark.whole
@pytest.mark.timeout(2 * _INSTALL_SECS)
def test_pipx_installs_the_checkout(stack: LocalStack, tmp_path: Path) -> None:
    assert _PIPX.exists(), "run `make system`: this test needs the package pipx"
    folders = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    install(_PIPX, "install", "--python", _oldest(), ROOT, **folders)
    assert_it_runs(tmp_path / "bin" / "rustbox", stack, tmp_path)


def install(tool: Path, *arguments: str | Path, **variables: str) -> None:
    done = run_to_end([tool, *arguments, "--quiet"], env=os.environ | variables, timeout=_INSTALL_SECS)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_it_is_all_in(environment: Path, folder: Path) -> None:
    """Nothing of the checkout is on the path of the installed command."""
    show = "import sys, rustbox_cli; print(rustbox_cli.__file__, *filter(None, sys.path), sep='\\n')"
    told = subprocess.run(
        [environment / "bin" / "python", "-c", show], cwd=folder, env={}, capture_output=True, text=True, check=True
    )
    module, *path = told.stdout.splitlines()
    assert Path(module).is_relative_to(environment)
    assert not [entry for entry in path if Path(entry).is_relative_to(ROOT)]


def assert_it_runs(command: Path, stack: LocalStack, folder: Path) -> None:
    """Use all that goes through the bucket, and cancel."""
    environment = {"RUSTBOX_URL": stack.url, "RUSTBOX_API_KEY": API_KEY, "XDG_CONFIG_HOME": str(folder)}

    def call(*arguments: str) -> str:
        ended = run_to_end(
            [command, *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL, timeout=_CALL_SECS
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    (folder / "main.py").write_text(CODE)
    for size in INPUT_BYTES:
        expected = LargeRun(size)
        (folder / "data.bin").write_bytes(expected.data)
        (folder / "input.txt").write_text(expected.stdin)
        assert expected.sha256 in call("files", "put", "data.bin")
        program = ("main.py", "--file", "data.bin:ro", "--stdin", "input.txt", "--artifacts", "kept.bin")
        assert call("run", *program, "--save", f"run-{size}") == expected.stdout
        submitted = call("submit", *program).strip()
        assert "artifact kept.bin, 300,000 bytes" in call("result", submitted, "--watch", "--save", f"watched-{size}")
        assert call("result", submitted, "--stream", "stdout") == expected.stdout
        for way in ("run", "watched"):
            assert (folder / f"{way}-{size}" / "kept.bin").read_bytes() == expected.kept

    # With one key both commands mean one run: the second shows when the program has printed everything.
    (folder / "endless.py").write_text(ENDLESS_CODE)
    endless = ("endless.py", "--profile", "agent", "--idempotency-key", secrets.token_hex(16))
    submitted = call("submit", *endless).strip()
    with subprocess.Popen(
        [command, "run", *endless],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        assert following.stdout.read(len(ENDLESS_OUTPUT)) == ENDLESS_OUTPUT
        call("cancel", submitted)
        assert following.stdout.read() == ""
    assert following.returncode == 128 + signal.SIGKILL
    assert json.loads(call("result", submitted, "--watch", "--json"))["result"]["cause"] == "cancelled"
    assert call("result", submitted, "--stream", "stdout") == ENDLESS_OUTPUT
