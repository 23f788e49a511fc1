"""Problem packages of people who want something else: links, names, YAML, and more cases than a judge run has."""

import os
from pathlib import Path

import pytest

from rustbox_cli.errors import CommandError
from rustbox_cli.package_submissions import read_submissions
from rustbox_cli.problem_cases import read_case_folder

# Each list has ten names of the list before: as text a hundred billion words.
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    for name, text in {"problem.yaml": "name: x\n", "data/secret/1.in": "1\n", "data/secret/1.ans": "1\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    "place", ["data/secret/2.in", "data/secret/1.yaml", "data/secret/more", "output_validators/check.py", ".timelimit"]
)
def test_a_link_out_of_the_package_is_not_followed(package: Path, tmp_path: Path, place: str) -> None:
    secret = tmp_path / "id_ed25519"
    secret.write_text("a private key")
    (package / place).parent.mkdir(exist_ok=True)
    (package / place).symlink_to(tmp_path if place.endswith("more") else secret)
    with pytest.raises(CommandError, match="is a link to a file outside of"):
        read_case_folder(package)


def test_links_are_followed_to_the_repository_but_not_to_hidden_files_and_a_given_root(
    package: Path, tmp_path: Path
) -> None:
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers" / "2.in").write_text("2\n")
    (package / "data/secret/2.in").symlink_to("../../../headers/2.in")
    (package / "data/secret/2.ans").write_text("2\n")
    with pytest.raises(CommandError, match="also take --root"):
        read_case_folder(package)
    assert len(read_case_folder(package, root=tmp_path).cases) == 2
    (tmp_path / ".git").mkdir()
    assert [case["stdin"] for case in read_case_folder(package).cases] == ["1\n", "2\n"]
    with pytest.raises(CommandError, match="outside of"):
        read_case_folder(package, root=package)
    (tmp_path / ".git" / "config").write_text("url = https://token@git.example.com")
    (package / "data/secret/2.ans").unlink()
    (package / "data/secret/2.ans").symlink_to(tmp_path / ".git" / "config")
    with pytest.raises(CommandError, match="or to a hidden one"):
        read_case_folder(package)


def test_a_repository_of_a_home_folder_is_no_root(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.with_name("home").symlink_to(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.with_name("home")))
    (tmp_path / ".git").mkdir()
    (tmp_path / "passwords").write_text("x")
    (package / "data/secret/2.in").symlink_to(tmp_path / "passwords")
    with pytest.raises(CommandError, match="is a link to a file outside of"):
        read_case_folder(package)


def test_a_link_inside_of_the_package_is_followed(package: Path) -> None:
    (package / "generated.in").write_text("2\n")
    (package / "data/secret/2.in").symlink_to("../../generated.in")
    (package / "data/secret/2.ans").write_text("2\n")
    assert [case["stdin"] for case in read_case_folder(package).cases] == ["1\n", "2\n"]


def test_a_statement_may_be_a_link(package: Path, tmp_path: Path) -> None:
    (package / "problem.pdf").symlink_to(tmp_path / "elsewhere.pdf")
    assert len(read_case_folder(package).cases) == 1


def test_a_pipe_and_a_folder_are_no_cases(package: Path) -> None:
    os.mkfifo(package / "data/secret/2.in")
    (package / "data/secret/3.in").mkdir()
    assert len(read_case_folder(package).cases) == 1


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("problem.yaml", "validator_flags"),
        ("problem.yaml", "problem_format_version"),
        ("problem.yaml", "type"),
        ("data/testdata.yaml", "grader_flags"),
        ("data/testdata.yaml", "accept_score"),
        ("data/secret/1.yaml", "args"),
    ],
)
def test_lists_that_name_one_another_cost_nothing(package: Path, place: str, key: str) -> None:
    (package / "problem.yaml").write_text("type: scoring\n")
    with (package / place).open("a") as file:
        file.write(f"{LAUGHS}{key}: *a11\n")
    with pytest.raises(CommandError, match=r"where a text or a number belongs|needs a number"):
        read_case_folder(package)


@pytest.mark.parametrize(
    "yaml",
    [
        f"{LAUGHS}x/dir: {{entrypoint: *a11}}\n",
        f"{LAUGHS}x: {{permitted: *a11}}\n",
        f"{LAUGHS}x: {{message: *a11}}\n",
        f"{LAUGHS}x: {{score: *a11}}\n",
    ],
)
def test_lists_that_name_one_another_in_submissions_yaml_cost_nothing(package: Path, yaml: str) -> None:
    (package / "submissions/x/dir").mkdir(parents=True)
    (package / "submissions/submissions.yaml").write_text(yaml)
    with pytest.raises(CommandError, match=r"where a text or a number belongs|needs a number"):
        read_submissions(package, is_legacy=False)


@pytest.mark.parametrize("entry", ["/etc/passwd", "../../../problem.yaml", "../other/main.py"])
def test_an_entry_point_outside_of_the_submission_is_not_read(package: Path, entry: str) -> None:
    for name in ("dir", "other"):
        (package / "submissions/x" / name).mkdir(parents=True)
    (package / "submissions/x/other/main.py").touch()
    (package / "submissions/submissions.yaml").write_text(f"x/dir: {{entrypoint: {entry}, permitted: [AC]}}\n")
    one = read_submissions(package, is_legacy=False)[0]
    assert (one.path, one.main, "There is no file" in one.reason) == ("x/dir", None, True)


def test_a_thousand_cases_are_refused_before_anything_is_sent(package: Path) -> None:
    for number in range(1_000):
        (package / f"data/secret/{number}.in").touch()
    with pytest.raises(CommandError, match="has 1000 cases; a judge run has at most 200"):
        read_case_folder(package)


def test_names_are_names_and_no_paths(package: Path) -> None:
    for name in ("..in", "a\nb.in", "....in", "\x1b[2J.in", "-rf.in"):
        (package / "data/secret" / name).touch()
    found = {case["id"] for case in read_case_folder(package, needs_answers=False).cases}
    assert found == {"secret/1", "secret/a\nb", "secret/\x1b[2J", "secret/-rf"}  # without hidden files
