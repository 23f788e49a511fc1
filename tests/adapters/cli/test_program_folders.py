"""Programs of several files: folders and zip files, and which of their files is the main one."""

import zipfile
from pathlib import Path

import click
import pytest

from rustbox_cli.program_input import main_file
from tests.adapters.cli.invocation import Rustbox, write
from tests.adapters.cli.judge_replies import ACCEPTED, case, final
from tests.adapters.scripted_service import Service

JAVA_MAIN = "class Run { public static  void main(String[] a) {} }"


@pytest.mark.parametrize(
    ("files", "main"),
    [
        ({"only.py": "", "data.txt": "", ".hidden.py": ""}, "only.py"),
        ({"main.py": "", "queue.py": ""}, "main.py"),
        ({"Solution.java": "", "Helper.java": ""}, "Solution.java"),
        ({"Run.java": JAVA_MAIN, "Helper.java": "class Helper {}"}, "Run.java"),
        ({"__main__.py": "", "other.py": ""}, "__main__.py"),
        ({"b.cpp": "", "a.cc": "", "util.h": ""}, "a.cc"),
        ({"one.py": "", "lib/two.py": ""}, "one.py"),
    ],
)
def test_the_main_file_of_a_folder(tmp_path: Path, files: dict[str, str], main: str) -> None:
    write(tmp_path, files)
    assert main_file(tmp_path) == tmp_path / main


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.py": "", "b.py": ""}, "has a.py, b.py. Name the main file"),
        ({"notes.txt": ""}, "has no file of a known language. Name"),
        ({"a.c": "", "b.py": ""}, "has a.c, b.py. Name"),
        ({"A.java": JAVA_MAIN, "B.java": JAVA_MAIN}, "has A.java, B.java. Name"),
    ],
)
def test_a_folder_whose_main_file_is_not_clear_is_refused(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    write(tmp_path, files)
    with pytest.raises(click.UsageError, match=sentence):
        main_file(tmp_path)


def test_a_link_out_of_the_folder_is_no_main_file(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("a private key")
    folder = tmp_path / "student"
    folder.mkdir()
    (folder / "main.py").symlink_to("../secret.py")
    (folder / "src").symlink_to(tmp_path)
    for name in (None, "main.py", "src/secret.py", "../secret.py"):
        with pytest.raises(click.UsageError, match=r"There is no file|no file of a known language"):
            main_file(folder, name)


@pytest.mark.parametrize("is_packed", [False, True])
def test_judge_takes_a_folder_files_and_options_of_the_compiler(
    rustbox: Rustbox, service: Service, tmp_path: Path, *, is_packed: bool
) -> None:
    write(tmp_path, {"p/main.cpp": "int main() {}", "p/lib/util.h": "// h", "data.txt": "d"})
    write(tmp_path / "cases", {"1.in": "1\n", "1.ans": "2\n"})
    program = tmp_path / "p"
    if is_packed:
        program = tmp_path / "p.zip"
        with zipfile.ZipFile(program, "w") as archive:
            archive.writestr("project/main.cpp", "int main() {}")
            archive.writestr("project/lib/util.h", "// h")
    service.will(ACCEPTED, final(case(0)))
    more = ("--file", f"in.txt={tmp_path / 'data.txt'}:ro", "--compile-arg=-O2", "--compile-arg=-DX=1")
    ended = rustbox("judge", str(program), "--cases", str(tmp_path / "cases"), *more)
    assert ended.exit_code == 0, ended.stderr
    body = service.asked[0].body
    assert (body["language"], body["code"], body["compile_args"]) == ("cpp", "int main() {}", ["-O2", "-DX=1"])
    assert [(file["path"], file.get("read_only")) for file in body["files"]] == [("lib/util.h", None), ("in.txt", True)]


def test_a_zip_file_is_a_package(rustbox: Rustbox, service: Service, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "hello.kpp", "w") as archive:
        for name, text in {"problem.yaml": "name: x", "data/secret/1.in": "1", "data/secret/1.ans": "2"}.items():
            archive.writestr(f"inner/{name}", text)
    (tmp_path / "a.py").write_text("")
    service.will(ACCEPTED, final(case(0)))
    ended = rustbox("judge", str(tmp_path / "a.py"), "--cases", str(tmp_path / "hello.kpp"))
    assert (ended.exit_code, service.asked[0].body["cases"][0]["id"]) == (0, "secret/1")
    service.will(final())
    assert rustbox("problems", "push", str(tmp_path / "hello.kpp")).exit_code != 0  # the reply is none of a push
    assert service.asked[-1].body["id"] == "hello"
    ended = rustbox("problems", "push", str(tmp_path / "a.py"))
    assert (ended.exit_code, "is no folder and no zip file" in ended.stderr) == (2, True)
