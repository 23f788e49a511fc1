"""The jail as an ordinary user: a real process of another user, from a copy of the code that it may read.

What such a user cannot have is named as missing, and everything else holds: the hostile programs get no further than
the missing controls let them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox_runtime.jail import CONTROLS, PERMISSIVE_CONTROLS
from sandbox_runtime.jail.controls.cgroup.base import base_v2, bases_v1
from sandbox_runtime.jail.controls.cgroup.detect import cgroup_backend
from sandbox_runtime.languages import prepare, python
from sandbox_runtime.languages.c import C
from tests.jail.hostile.catalogue import Program, all_programs
from tests.jail.processes import processes_of

ROOT = Path(__file__).parents[2]
INTERPRETER = str(getattr(sys, "_base_executable", sys.executable))
USER = 3_000_000 + os.getpid()  # nobody's, and not that of the same tests in another checkout
GROUP = USER + 1
TOOLCHAINS = "toolchains"
SLOWNESS = int(os.environ.get("RUSTBOX_TEST_SLOWNESS", "1"))
CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
NEED_ROOT_OR_GROUPS = tuple(name for name in CONTROLS if name not in PERMISSIVE_CONTROLS)

Report = dict[str, Any]
RunAll = Callable[..., list[Report]]

# Runs every job of its input in one slot and prints what came of each, and what is left of the last one.
DRIVER = """
import hashlib, json, os, sys, tempfile
sys.path.insert(0, sys.argv[1])
from datetime import UTC, datetime
from uuid import uuid4
from sandbox_runtime.commands.display import as_json
from sandbox_runtime.executor import execute
from sandbox_runtime.jail import SlotConfig, open_slot
from sandbox_runtime.languages import LANGUAGES, binds
from sandbox_runtime.jail import make_inputs_folder
from sandbox_runtime.messages import ExecutionRequested, LimitOverrides, PlacedFile, StoredFile, format_time

by_name = {language.name: language for language in LANGUAGES}

def stored(content, folder):
    digest = hashlib.sha256(content).hexdigest()
    with open(f"{folder}/{digest}", "wb") as file:
        file.write(content)
    return StoredFile("files/x", len(content), digest)

def run(slot, job):
    with tempfile.TemporaryDirectory() as name:
        target = make_inputs_folder(f"{name}/inputs")
        files = tuple(
            PlacedFile(path, read_only=read_only, content=text.encode()) if inline
            else PlacedFile(path, read_only=read_only, stored=stored(text.encode(), target))
            for path, text, read_only, inline in job.get("files", ())
        )
        return run_with(slot, job, files, f"{name}/inputs" if files else "")

def run_with(slot, job, files, folder):
    now = datetime.now(UTC)
    request = ExecutionRequested(
        submission_id=str(uuid4()), execution_id=str(uuid4()), project_id="tests", language=job["language"],
        profile="judge", priority="interactive", code=job["code"].encode(), stdin=job["stdin"].encode(),
        limits=LimitOverrides(**job["limits"]), requested_at=format_time(now),
        files=files or None,
    )
    language = by_name[job["language"]]
    return as_json(execute(slot, request, language, node_id="tests", started_at=now, inputs_folder=folder))

with open_slot(SlotConfig("user", 0, binds([by_name["c"]], sys.argv[2]))) as slot:
    run(slot, {"language": "python", "code": "", "stdin": "", "limits": {}})
    slot.settle()  # until then a run has its descriptors
    descriptors = len(os.listdir("/proc/self/fd"))
    done = [run(slot, job) for job in json.load(sys.stdin)]
    slot.settle()
    left = {"descriptors": len(os.listdir("/proc/self/fd")) - descriptors, "healthy": slot.healthy}
json.dump([*done, left], sys.stdout)
"""


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """The project may lie below a folder that only root may enter."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        shutil.copytree(
            ROOT / "sandbox_runtime", place / "sandbox_runtime", ignore=shutil.ignore_patterns("__pycache__")
        )
        for path in (place / "sandbox_runtime").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        prepare(C, str(place / TOOLCHAINS))
        yield place


def as_user(
    argv: list[str], *, stdin: str = "", groups: tuple[int, ...] = (), environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        user=USER,
        group=GROUP,
        extra_groups=groups,
        env={**CLEAN_ENVIRONMENT, **(environment or {})},
        cwd="/",
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def job(code: str, language: str = "python", stdin: str = "", **limits: float) -> dict[str, object]:
    return {"language": language, "code": code, "stdin": stdin, "limits": limits}


@pytest.fixture(scope="module")
def run_all(copy: Path) -> RunAll:
    """Run jobs in one slot of an ordinary user; nothing may be left of them."""

    def run(jobs: list[dict[str, object]], **options: Any) -> list[Report]:
        command = [INTERPRETER, "-I", "-S", "-c", DRIVER, str(copy), str(copy / TOOLCHAINS)]
        done = as_user(command, stdin=json.dumps(jobs), **options)
        assert done.returncode == 0, done.stderr
        *reports, left = json.loads(done.stdout)
        assert left == {"descriptors": 0, "healthy": True}
        assert not processes_of(USER)
        return list(reports)

    return run


def verdict(report: Report) -> tuple[str, str]:
    return report["result"]["verdict"], report["result"]["cause"]


IDENTITY = """
import os
print(os.getuid() == 0, os.getgid() == 0, os.getuid() == os.getgid(), os.getgroups())
print({line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")})
print(sorted(name for name in os.listdir("/proc") if name.isdigit()), os.uname().nodename, os.getcwd())
print(open("/proc/self/uid_map").read().split()[0] == str(os.getuid()))
"""


def test_an_honest_program_runs_and_the_evidence_names_missing_controls(run_all: RunAll) -> None:
    (report,) = run_all([job("print(input() * 2)", stdin="ab")])
    evidence = report["evidence"]
    assert (verdict(report), report["output"]["stdout"]) == (("AC", "normal_exit"), "abab\n")
    assert evidence["isolation_mode"] == evidence["isolation"]["mode"] == "permissive"
    assert tuple(evidence["controls_missing"]) == NEED_ROOT_OR_GROUPS
    assert tuple(evidence["controls_applied"]) == PERMISSIVE_CONTROLS
    assert (evidence["cgroup"], evidence["limits"]) == (None, {"cgroup_backend": None, "cgroup": None})
    assert evidence["teardown"] == {"reap_status": "clean", "zombie_count": 0, "cleanup_verified": True}
    assert report["metrics"]["memory_peak_bytes"] > 1 << 20
    assert 0 < report["metrics"]["cpu_time_secs"] < 2 * SLOWNESS


def test_files_of_a_request_are_copied(run_all: RunAll) -> None:
    shown = "for path in ('a/inline', 'a/stored', 'kept'): print(open(path).read())\n"
    code = f"{shown}open('a/stored', 'a')\nopen('kept', 'a')"
    files = [("a/inline", "1", False, True), ("a/stored", "2", False, False), ("kept", "3", True, False)]
    (report,) = run_all([{**job(code), "files": files}])
    assert (verdict(report), report["output"]["stdout"]) == (("RE", "re_nonzero_exit"), "1\n2\n3\n")
    assert "PermissionError: [Errno 13] Permission denied: 'kept'" in report["output"]["stderr"]


def test_c_is_compiled_and_runs(run_all: RunAll) -> None:
    main = 'int main(void) { int n; return scanf("%d", &n) == 1 ? printf("%d", n + 1) < 0 : 1; }'
    code = f"#include <stdio.h>\n{main}\n"
    done, refused = run_all([job(code, "c", stdin="41"), job("int main(void) { x }", "c")])
    assert (verdict(done), done["output"]["stdout"]) == (("AC", "normal_exit"), "42")
    assert verdict(refused) == ("RE", "ce_compile_failed")


def test_the_guest_is_nobody_inside_and_sees_only_itself(run_all: RunAll) -> None:
    (report,) = run_all([job(IDENTITY)])
    assert report["output"]["stdout"].splitlines() == [
        "False False True []",
        "{'0000000000000000'}",
        "['2'] rustbox-sandbox /box",
        "True",
    ]


def test_groups_that_a_user_cannot_give_up_reach_nothing_and_change_no_other_control(run_all: RunAll) -> None:
    (report,) = run_all([job("import os; print(len(os.getgroups()))")], groups=(GROUP + 1,))
    assert report["output"]["stdout"] == "1\n"
    assert tuple(report["evidence"]["controls_missing"]) == NEED_ROOT_OR_GROUPS


BURN_IN_CHILDREN = """
import os, signal, time
{before}
def fork():
    while True:
        try:
            return os.fork()
        except BlockingIOError:  # on a busy machine many are still there
            time.sleep(0.02)
for _ in range(60):
    if fork() == 0:
        end = time.process_time() + 0.1
        while time.process_time() < end: pass
        os._exit(0)
    {after}
print("ESCAPED")
"""


# Memory is what ends these, however long an emulated processor takes to fill it.
def unhurried(code: str) -> dict[str, object]:
    return job(code, memory_mb=64, cpu_time_secs=8, wall_time_secs=20)


LIMIT_JOBS: dict[str, tuple[dict[str, object], tuple[str, str]]] = {
    "busy loop": (job("while True: pass", cpu_time_secs=0.5), ("TLE", "tle_cpu_judge")),
    "four busy processes": (
        job("import os; os.fork(); os.fork()\nwhile True: pass", cpu_time_secs=1, wall_time_secs=20),
        ("TLE", "tle_cpu_judge"),
    ),
    "children one after the other": (
        job(BURN_IN_CHILDREN.format(before="", after="os.wait()"), cpu_time_secs=1, wall_time_secs=20),
        ("TLE", "tle_cpu_judge"),
    ),
    "children that nobody waits for": (
        job(
            BURN_IN_CHILDREN.format(before="signal.signal(signal.SIGCHLD, signal.SIG_IGN)", after="time.sleep(0.12)"),
            cpu_time_secs=1,
            wall_time_secs=20,
        ),
        ("TLE", "tle_cpu_judge"),
    ),
    "sleep": (job("import time; time.sleep(60)", wall_time_secs=0.5), ("TLE", "tle_wall_judge")),
    "heap": (unhurried("x = [bytearray(8 << 20) for _ in range(200)]"), ("MLE", "mle_limit_breach")),
    "shared memory": (
        unhurried(
            "import mmap, time\nm = mmap.mmap(-1, 1 << 27)\n"
            "for _ in range(128): m.write(b'x' * (1 << 20))\ntime.sleep(9)"
        ),
        ("MLE", "mle_limit_breach"),
    ),
    "files in three places": (
        unhurried(
            "import time\nfor n in range(40):\n  for place in ('/tmp', '/dev/shm', '.'):\n"
            "    open(f'{place}/{n}', 'wb').write(b'x' * (1 << 20))\ntime.sleep(9)"
        ),
        ("MLE", "mle_limit_breach"),
    ),
    "memory of children": (
        job(
            "import os, time\nfor _ in range(4):\n  if os.fork() == 0:\n    x = bytearray(32 << 20)\n"
            "    time.sleep(9)\ntime.sleep(9)",
            memory_mb=64,
        ),
        ("MLE", "mle_limit_breach"),
    ),
    "output": (job("while True: print('y' * 4096)", output_kb=16), ("RE", "ole_output_limit")),
    "too many processes": (
        job("import os, time\nfor _ in range(50):\n  if os.fork() == 0: time.sleep(5); os._exit(0)", max_processes=5),
        ("RE", "re_nonzero_exit"),
    ),
}  # fmt: skip


def test_limits_hold_without_groups(run_all: RunAll) -> None:
    reports = run_all([asked for asked, _ in LIMIT_JOBS.values()])
    seen = {name: verdict(report) for name, report in zip(LIMIT_JOBS, reports, strict=True)}
    assert seen == {name: expected for name, (_, expected) in LIMIT_JOBS.items()}
    assert not any("ESCAPED" in report["output"]["stdout"] for report in reports)
    assert "BlockingIOError" in reports[list(LIMIT_JOBS).index("too many processes")]["output"]["stderr"]
    overrun = reports[list(LIMIT_JOBS).index("four busy processes")]["metrics"]["cpu_time_secs"]
    assert 1 <= overrun < 1.5 * SLOWNESS
    assert reports[list(LIMIT_JOBS).index("heap")]["evidence"]["judge_actions"] == ["kill_memory_limit"]


HARMLESS_JOBS: dict[str, dict[str, object]] = {
    # Pages that forked processes share are one process's memory, and clean file pages are nobody's.
    "shared pages": job(
        "import os, time\nx = bytearray(40 << 20)\nfor _ in range(3):\n"
        "  if os.fork() == 0: time.sleep(0.3); os._exit(0)\nfor _ in range(3): os.wait()\nprint('ok')",
        memory_mb=64,
    ),
    "started programs": job(
        "import subprocess\nx = bytearray(40 << 20)\n"
        "for _ in range(20): subprocess.run(['/usr/bin/true'], check=True)\nprint('ok')",
        memory_mb=64,
    ),
    "a large file": job(
        f"import mmap\nwith open({python.INTERPRETER!r}, 'rb') as f:\n"
        "  m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n  print('ok' if sum(m[::4096]) else '')",
        memory_mb=16,
    ),
    "a name of brackets": job(
        "__import__('ctypes').CDLL(None).prctl(15, b') R 1 1 1 (\\n')\nend = __import__('time').monotonic() + 0.3\n"
        "while __import__('time').monotonic() < end: pass\nprint('ok')"
    ),
}


def test_honest_use_near_the_limits_is_not_mistaken_for_a_breach(run_all: RunAll) -> None:
    reports = run_all(list(HARMLESS_JOBS.values()))
    seen = {
        name: (verdict(report)[0], report["output"]["stdout"])
        for name, report in zip(HARMLESS_JOBS, reports, strict=True)
    }
    assert seen == dict.fromkeys(HARMLESS_JOBS, ("AC", "ok\n"))


INIT_ATTACK = """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
for number in range(1, 65):
    try: os.kill(1, number)
    except OSError: pass
for path in ("/proc/1/mem", "/proc/1/environ", "/proc/1/root", "/proc/1/fd"):
    try: os.listdir(path) if path.endswith(("root", "fd")) else open(path, "rb").read(1)
    except OSError: continue
    print("ESCAPED", path)
if libc.ptrace(16, 1, 0, 0) == 0: print("ESCAPED ptrace")
calls = (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.unshare(os.CLONE_NEWUSER), lambda: os.chroot("/tmp"))
for call in calls:
    try: call()
    except OSError: continue
    print("ESCAPED call")
if libc.umount2(b"/proc", 2) == 0 or libc.mount(b"x", b"/tmp", b"tmpfs", 0, 0) == 0: print("ESCAPED mount")
print("done")
"""


def test_init_cannot_be_hurt_although_it_has_the_same_user(run_all: RunAll) -> None:
    (report,) = run_all([job(INIT_ATTACK)])
    assert (verdict(report)[0], report["output"]["stdout"]) == ("AC", "done\n")


# Attacks on a compiler's time need limits of their own, and have them in the suite for root. Of an attack in both
# languages only one runs: which controls an ordinary user lacks does not depend on the language. Attacks without a
# control of their own show nothing of missing ones.
PROGRAMS = {
    program.attack: program
    for program in sorted(all_programs(), key=lambda program: program.language, reverse=True)
    if program.language in {"c", "python"}
    and (program.path.stem.endswith("_secret") or not (program.is_compile_attack or program.control is None))
}.values()


def hostile_limits(program: Program) -> dict[str, float]:
    """As tight as the programs are written for: they burn 1 s, sleep 1.2 s, use 320 MiB, write 640 KiB."""
    return {
        "cpu_time_secs": 0.6 if program.control == "cpu_limit" else min(15, 2 * SLOWNESS),
        "wall_time_secs": 0.8 if program.control == "wall_limit" else min(25, 4 * SLOWNESS),
        "memory_mb": 128,
        "output_kb": 256,
    }


@pytest.mark.timeout(600 * SLOWNESS)
def test_hostile_programs_get_no_further_than_the_missing_controls(run_all: RunAll) -> None:
    canary = job("import sys; print(sys.stdin.read(), 6 * 7)", stdin="canary")
    jobs: list[dict[str, object]] = []
    for program in PROGRAMS:
        jobs += [job(program.code.decode(), program.language, stdin="input", **hostile_limits(program)), canary]
    reports = run_all(jobs)
    problems: list[tuple[object, ...]] = []
    for program, report, after in zip(PROGRAMS, reports[::2], reports[1::2], strict=True):
        escaped = any(line.startswith("ESCAPED") for line in report["output"]["stdout"].splitlines())
        if (escaped and program.control not in NEED_ROOT_OR_GROUPS) or verdict(report)[0] == "IE":
            problems.append((program.name, verdict(report), report["output"]["stdout"][:300]))
        if tuple(report["evidence"]["controls_missing"]) != NEED_ROOT_OR_GROUPS:
            problems.append((program.name, report["evidence"]["controls_missing"]))
        if (verdict(after)[0], after["output"]["stdout"]) != ("AC", "canary 42\n"):
            problems.append((program.name, "the next run", after["result"]))
    assert not problems
    assert len(PROGRAMS) > 60


def test_the_run_command_says_that_isolation_is_permissive_and_why(copy: Path) -> None:
    program = copy / "hello.py"
    program.write_text("print('hello')")
    command = [INTERPRETER, "-S", "-m", "sandbox_runtime", "run", str(program)]
    done = as_user(command, environment={"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"})
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("AC normal_exit, exit code 0, ")
    assert "isolation permissive (run as an ordinary user, no control groups)" in line
    assert line.endswith(f"NOT IN FORCE: {', '.join(NEED_ROOT_OR_GROUPS)}")


def test_a_floor_of_all_controls_is_refused_to_an_ordinary_user(copy: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from sandbox_runtime.jail import *\n"
        "limits = Limits(1, 5, 64 << 20, 8, 32, 1 << 20, 1000)\n"
        "with open_slot(SlotConfig('user', 0, required_controls=CONTROLS)) as slot:\n"
        "    try: slot.run(JailSpec(('/usr/bin/true',), limits))\n"
        "    except JailError as error: print(error.step, '|', error.target)\n"
    )
    done = as_user([INTERPRETER, "-I", "-S", "-c", code, str(copy)])
    assert done.stdout.strip() == f"confirm controls | {', '.join(NEED_ROOT_OR_GROUPS)}", done.stderr


# A process of root moves itself into the delegated groups, then becomes the user.
ENTER_AND_BECOME = """
import os, sys
entries, user, group, command = sys.argv[1].split(":"), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
for entry in entries:
    with open(entry, "w") as file: file.write("0")
os.setgroups([]); os.setresgid(group, group, group); os.setresuid(user, user, user)
os.execv(command[0], command)
"""


@pytest.fixture
def delegated() -> Iterator[list[Path]]:
    """Groups that belong to the user; yields the files to enter them by."""
    name = f"tests-delegated-{os.getpid()}"
    made: list[Path] = []
    entries: list[Path] = []
    if cgroup_backend() == "cgroup_v1":
        for base in dict.fromkeys(bases_v1().values()):
            made.append(base / name)
            entries.append(base / name / "tasks")
    else:
        made += [base_v2() / name, base_v2() / name / "own"]
        entries.append(made[1] / "cgroup.procs")
    for directory in made:
        directory.mkdir()
    if cgroup_backend() == "cgroup_v2":
        (made[0] / "cgroup.subtree_control").write_text("+memory +pids")
    for directory in made:
        for path in (directory, directory / "cgroup.procs", directory / "tasks", directory / "cgroup.subtree_control"):
            if path.exists():
                os.chown(path, USER, GROUP)
    yield entries
    for directory in reversed(made):
        directory.rmdir()


def test_delegated_groups_are_used_and_only_the_user_id_is_missing(copy: Path, delegated: list[Path]) -> None:
    jobs = [
        job("print(1)"),
        job("x = [bytearray(8 << 20) for _ in range(99)]", memory_mb=64),
        job("import os, time\nfor _ in range(50):\n  if os.fork() == 0: time.sleep(5); os._exit(0)", max_processes=5),
    ]
    entries = ":".join(str(path) for path in delegated)
    driver = [INTERPRETER, "-I", "-S", "-c", DRIVER, str(copy), str(copy / TOOLCHAINS)]
    done = subprocess.run(
        [INTERPRETER, "-I", "-S", "-c", ENTER_AND_BECOME, entries, str(USER), str(GROUP), *driver],
        env=CLEAN_ENVIRONMENT,
        cwd="/",
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=60 * SLOWNESS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *reports, left = json.loads(done.stdout)
    # Init has the guest's user id here, so RLIMIT_NPROC counts it too and refuses before the group does.
    assert [verdict(report)[1] for report in reports] == ["normal_exit", "mle_kernel_oom", "re_nonzero_exit"]
    assert "BlockingIOError" in reports[2]["output"]["stderr"]
    for report in reports:
        assert report["evidence"]["controls_missing"] == ["dedicated_user", "own_inodes"]
        assert report["evidence"]["isolation_mode"] == "permissive"
        assert report["evidence"]["limits"]["cgroup_backend"] == cgroup_backend()
    assert left == {"descriptors": 0, "healthy": True}
