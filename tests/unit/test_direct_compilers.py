"""The scripts that stand for gcc: made from what it says, and the ordinary command where that is not understood."""

import subprocess
from pathlib import Path

import pytest

from sandbox_runtime.languages import direct_gcc, direct_linker
from sandbox_runtime.languages.linker import MOLD

_COMPILER, _ASSEMBLER, _COLLECT2 = (
    ' /lib/cc1 -quiet solution.c "-O2" -o /tmp/ccA.s',
    " as --64 -o /tmp/ccB.o /tmp/ccA.s",
    ' /lib/collect2 -plugin /lib/p.so "-plugin-opt=-x y" -pie "-fuse-ld=mold" -o solution /lib/crt1.o /tmp/ccB.o -lc',
)
_ANSWER = f"Target: some\n{_COMPILER}\nCOMPILER_PATH=/x\n{_ASSEMBLER}\n{_COLLECT2}\n"


def gcc(folder: Path, answer: str, exit_code: int = 0) -> str:
    """A gcc that answers `-###` with this."""
    (folder / "answer").write_text(answer)
    path = folder / "gcc"
    path.write_text(f"#!/bin/sh\ncat {folder}/answer >&2\nexit {exit_code}\n")
    path.chmod(0o755)
    return str(path)


def script(folder: Path, answer: str, exit_code: int = 0) -> str:
    (folder / "made").mkdir()
    made = direct_gcc.script((gcc(folder, answer, exit_code), "-O2", "solution.c"), "solution.c", folder / "made")
    assert list((folder / "made").iterdir()) == []
    return made


def test_the_script_has_the_three_commands_that_gcc_names(tmp_path: Path) -> None:
    made = script(tmp_path, _ANSWER)
    assert '{ ulimit -S -f 4096; /lib/cc1 -quiet solution.c -O2 "$@" -o - ' in made
    assert "/usr/bin/as --64 -o /tmp/solution.o >" in made
    assert f"if {MOLD} --no-fork --threads=1 -pie -o solution /lib/crt1.o /tmp/solution.o -lc >" in made
    assert made.endswith('exec "$@"\n')


def test_words_of_gcc_are_no_commands_of_the_shell(tmp_path: Path) -> None:
    made = script(tmp_path, _ANSWER.replace('"-O2"', "'$(touch x)' ';'"))
    assert "'$(touch x)' ';' \"$@\"" in made


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "gcc: nothing to say\n",
        _ANSWER.replace("/lib/cc1", "/lib/gnat1"),
        _ANSWER.replace(_ASSEMBLER, ""),
        _ANSWER.replace("collect2", "ld"),
        _ANSWER.replace("/tmp/ccB.o -lc", "/tmp/ccC.o -lc"),
        _ANSWER.replace("-o /tmp/ccA.s", "-o /tmp/ccD.s"),
        _ANSWER.replace(" as ", " no-such-assembler "),
        _ANSWER.replace('"-O2"', '"-O2'),
    ],
    ids=["nothing", "words", "compiler", "assembler", "linker", "object", "assembly", "tool", "quote"],
)
def test_an_answer_that_is_not_understood_leaves_the_ordinary_command(tmp_path: Path, answer: str) -> None:
    assert script(tmp_path, answer) == 'shift\nexec "$@"\n'


def test_a_gcc_that_fails_or_a_missing_mold_leaves_the_ordinary_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert script(tmp_path, _ANSWER, 1) == 'shift\nexec "$@"\n'
    monkeypatch.setattr(direct_gcc, "MOLD", str(tmp_path / "mold"))
    monkeypatch.setattr(direct_linker, "MOLD", str(tmp_path / "mold"))
    assert direct_gcc.script(("/usr/bin/gcc", "x.c"), "x.c", tmp_path) == 'shift\nexec "$@"\n'
    direct_linker.write_linker("/usr/bin/gcc", tmp_path)
    assert (tmp_path / "gcc").read_text() == '#!/bin/sh\nexec /usr/bin/gcc "$@"\n'


def test_the_ordinary_command_runs_as_it_was_given(tmp_path: Path) -> None:
    made = script(tmp_path, "")
    done = subprocess.run(
        ["/bin/sh", "-c", made, "sh", "none", "printf", "%s|", "a b", "*"], capture_output=True, check=True
    )
    assert done.stdout == b"a b|*|"


# --- The linker for rustc ----------------------------------------------------
_LINK = ' /lib/collect2 -pie -dynamic-linker /lib/ld.so -o solution /lib/crt1.o linked.o "/lib/crt n.o"\n'


@pytest.fixture
def linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script with a gcc and a mold that print their words; mold fails when there is a file `broken`."""
    mold, real = tmp_path / "mold", gcc(tmp_path, _LINK)
    mold.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >{tmp_path}/words\nexec [ ! -e {tmp_path}/broken ]\n')
    mold.chmod(0o755)
    monkeypatch.setattr(direct_gcc, "MOLD", str(mold))
    monkeypatch.setattr(direct_linker, "MOLD", str(mold))
    made = tmp_path / "made"
    made.mkdir()
    direct_linker.write_linker(real, made)
    assert [path.name for path in made.iterdir()] == ["gcc"]
    Path(real).write_text('#!/bin/sh\nprintf "gcc"\nprintf "|%s" "$@"\n')
    return made / "gcc"


_GIVEN = (
    "-m64",
    "a b.o",
    "-Wl,-Bstatic",
    "*.rlib",
    "-lc",
    "-L",
    "/x y",
    "-o",
    "solution",
    "-Wl,-z,relro,-z,now",
    "-pie",
)
_MEANT = "a b.o|-Bstatic|*.rlib|-lc|-L|/x y|-z|relro|-z|now"


def test_mold_gets_what_gcc_would_give_it(linker: Path) -> None:
    done = subprocess.run([linker, *_GIVEN, "-nodefaultlibs", "-fuse-ld=mold"], capture_output=True, check=True)
    assert done.stdout == b""
    words = (linker.parents[1] / "words").read_text()
    before = "--no-fork|--threads=1|-pie|-dynamic-linker|/lib/ld.so|-o|solution|/lib/crt1.o"
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
    direct_linker.write_linker(real, made)
    assert (made / "gcc").read_text() == f'#!/bin/sh\nexec {real} "$@"\n'
