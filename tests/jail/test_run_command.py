"""`python -m sandbox_runtime run` as a shell uses it: real programs, real exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sandbox_runtime", "run", *arguments]


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(*arguments), cwd=ROOT, input=stdin, capture_output=True, timeout=60, check=False)


def source(folder: Path, name: str, code: str) -> str:
    path = folder / name
    path.write_text(code)
    return str(path)


@pytest.mark.parametrize(
    ("name", "code", "arguments", "expected"),
    [
        ("a.py", "print(42)", [], 0),
        ("a.py", "raise SystemExit(7)", [], 7),
        ("a.js", "process.exit(3)", [], 3),
        ("a.c", "int main(void) { return *(volatile int *)0; }", [], 139),
        ("a.c", "int main(void) {", [], 120),
        ("a.py", "while True: pass", ["--cpu-time-secs", "0.3"], 124),
        ("a.py", "import time; time.sleep(9)", ["--wall-time-secs", "0.5"], 124),
        ("a.py", "x = bytearray(1 << 30)", ["--memory-mb", "64"], 125),
        ("a.py", "import os\nfor _ in range(50): os.fork()", ["--max-processes", "3"], 122),
    ],
)
def test_the_exit_code_fits_a_shell(tmp_path: Path, name: str, code: str, arguments: list[str], expected: int) -> None:
    done = run(source(tmp_path, name, code), *arguments)
    assert done.returncode == expected, done.stderr


def test_output_passes_through_and_the_last_line_is_a_summary(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.stdout.buffer.write(b'\\xff\\x00' + sys.stdin.buffer.read())\nprint('note', file=sys.stderr)"
    )
    done = run(source(tmp_path, "script", code), "--language", "python", "--stdin", "-", stdin=b"input")
    assert done.stdout == b"\xff\x00input"
    note, text = done.stderr.decode().splitlines()
    assert (note, text.startswith("AC normal_exit, exit code 0, wall ")) == ("note", True)


def test_a_compiled_program_runs_without_the_capability_fowner_as_in_the_container(tmp_path: Path) -> None:
    made = command(source(tmp_path, "a.c", "int main(void) { return 5; }"))
    done = subprocess.run(
        ["/usr/bin/setpriv", "--bounding-set=-fowner", *made], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 5, done.stderr


def test_input_comes_from_a_file_and_is_empty_by_default(tmp_path: Path) -> None:
    echo = source(tmp_path, "echo.py", "import sys; sys.stdout.write(sys.stdin.read())")
    assert run(echo, "--stdin", source(tmp_path, "input", "3\n")).stdout == b"3\n"
    assert run(echo, stdin=b"not for the program").stdout == b""


def test_json_replaces_all_other_output(tmp_path: Path) -> None:
    done = run(source(tmp_path, "a.py", "print(42)"), "--json")
    shown = json.loads(done.stdout)
    assert (shown["result"]["verdict"], shown["output"]["stdout"], done.stderr) == ("AC", "42\n", b"")
    assert shown["evidence"]["isolation_mode"] == "strict"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    marker = f"marker-{os.getpid()}-{int(number)}"
    # The command shows output only at the end, so the name of the guest's process tells that it began.
    set_name = f"import ctypes, time\nctypes.CDLL(None).prctl(15, {marker[:15].encode()!r}, 0, 0, 0)\ntime.sleep(60)"
    path = source(tmp_path, "a.py", set_name)
    with subprocess.Popen(
        command(path, "--wall-time-secs", "25"), cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while not processes_named(marker[:15]):
            assert process.poll() is None
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert b"interrupted" in stderr
    assert processes_named(marker[:15]) == []


def test_a_reader_that_goes_away_is_no_failure_of_the_command(tmp_path: Path) -> None:
    path = source(tmp_path, "a.py", "print('x' * 500_000)")
    with subprocess.Popen(command(path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        stderr = process.stderr.read()
    assert (process.returncode, b"Traceback" in stderr) == (0, False)


def processes_named(name: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == name:
                found.append(entry.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
