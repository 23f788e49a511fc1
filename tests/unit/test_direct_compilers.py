"""Direct calls of gcc's tools: made from gcc's own plan; the ordinary command takes over when they fail."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox_runtime.languages import gcc as direct_gcc

_COMPILER = ' DIR/cc1 -quiet solution.c "-O2" -o /tmp/ccA.s'
_ASSEMBLER = " DIR/as --64 -o /tmp/ccB.o /tmp/ccA.s"
_COLLECT2 = (
    ' DIR/collect2 -plugin /lib/p.so "-plugin-opt=-x y" -pie "-fuse-ld=mold" -o solution'
    " crt1.o /tmp/ccB.o -lc crtend.o crtn.o"
)
_ANSWER = f"Target: some\n{_COMPILER}\nCOMPILER_PATH=/x\n{_ASSEMBLER}\n{_COLLECT2}\n"
_ORDINARY = '#!/bin/sh\nrm -f .headers\nexec "$@"\n'


def executable(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def gcc(folder: Path, answer: str, exit_code: int = 0) -> str:
    """A gcc that answers `-###` with this, and compiles what it is told to."""
    (folder / "answer").write_text(answer.replace("DIR", str(folder)))
    answering = f'if [ "$1" = "-###" ]; then cat {folder}/answer >&2; exit {exit_code}; fi'
    return str(executable(folder / "gcc", f'{answering}\nexec /usr/bin/gcc "$@"'))


class Steps:
    """A compiler, an assembler and a linker that note their words; `run` calls what was made of them in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.box, self.made = folder / "box", folder / "made"
        for directory in (self.box, self.made):
            directory.mkdir()
        self.compiler('echo "    .text"')
        self.assembler(f"cat >{folder}/solution.o")
        self.linker(f"cat {folder}/solution.o >solution")

    def make(self, answer: str = _ANSWER, exit_code: int = 0) -> str:
        """The first bytes of what was made."""
        ordinary = (gcc(self.folder, answer, exit_code), "-O2", "solution.c")
        direct_gcc.write_program(ordinary, "solution.c", self.made, str(self.made))
        return (self.made / "compile").read_bytes()[:100].decode(errors="replace")

    def compiler(self, text: str) -> None:
        self._tool("cc1", text)

    def assembler(self, text: str) -> None:
        self._tool("as", text)

    def linker(self, text: str) -> None:
        self._tool("mold", text)

    def _tool(self, name: str, text: str) -> None:
        note = f'printf "%s|" "$@" >>{self.folder}/{name}.words; echo >>{self.folder}/{name}.words'
        executable(self.folder / name, f"{note}\n{text}")

    def words(self, name: str) -> list[str]:
        """Of each of its calls."""
        path = self.folder / f"{name}.words"
        return path.read_text().splitlines() if path.exists() else []

    def run(self) -> tuple[int, str, str]:
        """(exit code, stdout, stderr). The ordinary command prints `ordinary` and ends with 3."""
        ordinary = ("/bin/sh", "-c", 'echo "ordinary $1"; exit 3', "sh", "a b")
        command = (str(self.made / "compile"), *ordinary)
        done = subprocess.run(command, cwd=self.box, capture_output=True, check=False, text=True)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.setattr(direct_gcc, "MOLD", str(tmp_path / "mold"))
    monkeypatch.setattr(direct_gcc, "_OBJECT", str(tmp_path / "solution.o"))
    monkeypatch.setattr(direct_gcc, "_SAID", str(tmp_path / "said"))
    return Steps(tmp_path)


_BY_ORDINARY = (3, "ordinary a b\n", "")


def test_the_three_commands_that_gcc_names_are_called(steps: Steps) -> None:
    assert steps.make().startswith("\x7fELF")
    assert sorted(path.name for path in steps.made.iterdir()) == ["compile", "held_open.so"]
    assert steps.run() == (0, "", "")
    assert steps.words("cc1") == ["-quiet|solution.c|-O2|-o|-|"]
    assert steps.words("as") == [f"--64|-o|{steps.folder}/solution.o|"]
    linked = f"-pie|-o|solution|crt1.o|-lc|{steps.folder}/solution.o|crtend.o|crtn.o|"
    assert steps.words("mold") == [f"--no-fork|--threads=2|-z|execstack-if-needed|{linked}"]


def test_the_assembler_may_have_its_targets_prefix(steps: Steps) -> None:
    (steps.folder / "x86_64-linux-gnu-as").symlink_to("as")
    assert steps.make(_ANSWER.replace("DIR/as", "DIR/x86_64-linux-gnu-as")).startswith("\x7fELF")
    assert steps.run() == (0, "", "")
    assert steps.words("as") == [f"--64|-o|{steps.folder}/solution.o|"]


def test_the_linker_starts_at_once_and_opens_the_object_when_there_is_one(steps: Steps) -> None:
    started = steps.folder / "started"
    steps.linker(f"echo >{started}; cat {steps.folder}/solution.o >solution")
    steps.compiler(f"while [ ! -e {started} ]; do :; done; echo compiled")
    steps.assembler(f"sleep 0.2; cat >{steps.folder}/solution.o")
    steps.make()
    assert steps.run() == (0, "", "")
    assert (steps.box / "solution").read_text() == "compiled\n"


def test_the_ordinary_command_may_write_as_much_as_the_step(steps: Steps) -> None:
    steps.make()
    (steps.folder / "cc1").unlink()  # what is started under a lower limit cannot be started
    command = (str(steps.made / "compile"), "/bin/sh", "-c", "ulimit -S -f")
    limits = ("/bin/sh", "-c", 'ulimit -S -f 9000; exec "$@"', "sh", *command)
    assert subprocess.run(limits, cwd=steps.box, capture_output=True, check=True).stdout == b"9000\n"


def test_words_of_gcc_stay_words(steps: Steps) -> None:
    steps.make(_ANSWER.replace('"-O2"', "'$(touch x)' ';' 'a\"b' 'c\\d' 'é'"))
    assert steps.run() == (0, "", "")
    assert steps.words("cc1") == ['-quiet|solution.c|$(touch x)|;|a"b|c\\d|é|-o|-|']


def test_headers_are_included_first_and_their_name_is_not_left_to_the_compiler(steps: Steps) -> None:
    steps.compiler("[ ! -e .headers ] && echo text")
    steps.make()
    (steps.box / ".headers").write_text("/opt/some headers.h")
    assert steps.run() == (0, "", "")
    assert steps.words("cc1") == ["-quiet|solution.c|-O2|-o|-|-include|/opt/some headers.h|"]


@pytest.mark.parametrize("with_headers", ["echo note >&2; echo 1", "exit 1", "kill -9 $$"])
def test_a_compiler_that_is_not_silent_about_headers_is_called_without_them(steps: Steps, with_headers: str) -> None:
    steps.compiler(f'case "$*" in *-include*) {with_headers} ;; *) echo warning >&2; echo 2 ;; esac')
    steps.make()
    (steps.box / ".headers").write_text("some.h")
    assert steps.run() == (0, "", "warning\n")
    assert (steps.box / "solution").read_text() == "2\n"
    assert len(steps.words("cc1")) == 2


def test_the_words_of_a_compiler_that_refuses_are_passed_on(steps: Steps) -> None:
    steps.linker(f"echo $$ >{steps.folder}/pid; cat {steps.folder}/solution.o")
    steps.compiler(f"while [ ! -s {steps.folder}/pid ]; do :; done; echo error >&2; exit 1")
    steps.make()
    assert steps.run() == (1, "", "error\n")
    assert not (steps.box / "solution").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((steps.folder / "pid").read_text()), 0)


def _compiler(text: str) -> Callable[[Steps], None]:
    return lambda steps: steps.compiler(text)


@pytest.mark.parametrize(
    "breaking",
    [
        _compiler("exit 1"),
        _compiler("echo ice >&2; exit 4"),
        _compiler("echo some; kill -9 $$"),
        _compiler("head -c 3000000 /dev/zero >&2; echo some"),
        lambda steps: steps.assembler("exit 1"),
        lambda steps: steps.assembler("cat >/dev/null; kill -9 $$"),
        lambda steps: steps.linker("echo undefined; echo undefined >&2; exit 1"),
        lambda steps: steps.linker("kill -9 $$"),
        lambda steps: (steps.folder / "cc1").unlink(),
        lambda steps: (steps.folder / "as").unlink(),
        lambda steps: (steps.folder / "mold").unlink(),
        lambda steps: (steps.folder / "said").touch(),
    ],
    ids=[
        *("mute", "other code", "killed", "talks much", "assembler", "assembler killed", "linker", "linker killed"),
        *("no compiler", "no assembler", "no linker", "no place for words"),
    ],
)
def test_the_ordinary_command_reports_all_other_failures(steps: Steps, breaking: Callable[[Steps], None]) -> None:
    steps.make()
    breaking(steps)
    assert steps.run() == _BY_ORDINARY


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "gcc: nothing to say\n",
        _ANSWER.replace("DIR/cc1", "DIR/gnat1"),
        _ANSWER.replace(_ASSEMBLER, ""),
        _ANSWER.replace("collect2", "ld"),
        _ANSWER.replace("/tmp/ccB.o -lc", "/tmp/ccC.o -lc"),
        _ANSWER.replace("-o /tmp/ccA.s", "-o /tmp/ccD.s"),
        _ANSWER.replace("DIR/as ", "no-such-assembler "),
        _ANSWER.replace('"-O2"', '"-O2'),
        _ANSWER.replace("crtend.o", "end.o"),
    ],
    ids=["nothing", "words", "compiler", "assembler", "linker", "object", "assembly", "tool", "quote", "end"],
)
def test_an_answer_that_is_not_understood_leaves_the_ordinary_command(
    steps: Steps, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    assert steps.make(answer) == _ORDINARY
    assert caplog.messages == ["compiler not called directly; its driver is slower"]
    assert [path.name for path in steps.made.iterdir()] == ["compile"]
    (steps.box / ".headers").write_text("some.h")
    assert steps.run() == _BY_ORDINARY
    assert list(steps.box.iterdir()) == []


def test_a_gcc_that_fails_or_a_missing_mold_leaves_the_ordinary_command(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps.make(exit_code=1) == _ORDINARY
    monkeypatch.setattr(direct_gcc, "MOLD", str(steps.folder / "no mold"))
    assert steps.make() == _ORDINARY
    direct_gcc.write_linker("/usr/bin/gcc", steps.folder)
    assert (steps.folder / "gcc").read_text() == '#!/bin/sh\nexec /usr/bin/gcc "$@"\n'


# --- The linker for rustc ----------------------------------------------------
_LINK = ' /lib/collect2 -pie -dynamic-linker /lib/ld.so -o solution /lib/crt1.o linked.o "/lib/crt n.o"\n'


@pytest.fixture
def linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script with a gcc and a mold that print their words; mold fails when there is a file `broken`."""
    mold, real = tmp_path / "mold", gcc(tmp_path, _LINK)
    mold.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >{tmp_path}/words\nexec [ ! -e {tmp_path}/broken ]\n')
    mold.chmod(0o755)
    monkeypatch.setattr(direct_gcc, "MOLD", str(mold))
    made = tmp_path / "made"
    made.mkdir()
    direct_gcc.write_linker(real, made)
    assert [path.name for path in made.iterdir()] == ["gcc"]
    Path(real).write_text('#!/bin/sh\nprintf "gcc"\nprintf "|%s" "$@"\n')
    return made / "gcc"


_GIVEN = (
    *("-m64", "a b.o", "-Wl,-Bstatic", "*.rlib", "-lc", "-L", "/x y", "-o", "solution", "-Wl,-z,relro,-z,now", "-pie"),
)
_MEANT = "a b.o|-Bstatic|*.rlib|-lc|-L|/x y|-z|relro|-z|now"


def test_mold_gets_the_same_arguments_as_from_gcc(linker: Path) -> None:
    done = subprocess.run([linker, *_GIVEN, "-nodefaultlibs", "-fuse-ld=mold"], capture_output=True, check=True)
    assert done.stdout == b""
    words = (linker.parents[1] / "words").read_text()
    before = "--no-fork|--threads=1|-z|execstack-if-needed|-pie|-dynamic-linker|/lib/ld.so|-o|solution|/lib/crt1.o"
    assert words == f"{before}|{_MEANT}|/lib/crt n.o|"


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("-nodefaultlibs", "-shared"),
        ("-nodefaultlibs", "-pie"),
        ("-nodefaultlibs", "@file"),
        ("-nodefaultlibs", "--unknown"),
        ("-nodefaultlibs", "-o", "other"),
        ("-nodefaultlibs", ""),
    ],
    ids=["less", "shared", "twice", "file", "unknown", "other output", "empty"],
)
def test_words_that_are_not_known_are_gccs(linker: Path, more: tuple[str, ...]) -> None:
    done = subprocess.run([linker, *_GIVEN, *more], capture_output=True, check=True, text=True)
    assert done.stdout.split("|") == ["gcc", *_GIVEN, *more]
    assert not (linker.parents[1] / "words").exists()


def test_an_error_of_mold_is_gccs_to_tell(linker: Path) -> None:
    (linker.parents[1] / "broken").touch()
    done = subprocess.run([linker, *_GIVEN, "-nodefaultlibs"], capture_output=True, check=True, text=True)
    assert done.stdout.split("|") == ["gcc", *_GIVEN, "-nodefaultlibs"]


def test_an_answer_about_linking_that_is_not_understood_leaves_gcc(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    real = gcc(tmp_path, _LINK.replace("linked.o", "other.o"))
    direct_gcc.write_linker(real, made)
    assert (made / "gcc").read_text() == f'#!/bin/sh\nexec {real} "$@"\n'
