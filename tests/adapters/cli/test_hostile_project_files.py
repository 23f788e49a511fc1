"""A project.yaml of a stranger's pull request: refused with a clear error, and it reads no other file."""

import os
from pathlib import Path

import pytest

from rustbox_cli.project import yaml_file
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.scripted_service import Service

KEY = "very-secret-key-of-this-machine"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)
HEARTBEAT = "{slug: a, kind: heartbeat, schedule: rate(1 day)}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout, with a key beside it."""
    (tmp_path / "key").write_text(KEY)
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text(KEY)
    (folder / "a.py").write_text("print(1)")
    (folder / "link.py").symlink_to("../key")
    (folder / "zero.py").symlink_to("/dev/zero")
    (folder / "git.py").symlink_to(".git/config")
    (folder / "loop.py").symlink_to("loop.py")
    (folder / "inner.py").symlink_to("a.py")
    (folder / "linked").symlink_to("..")
    for name in ("problems/sum", "stolen/sum"):
        (folder / name).mkdir(parents=True)
    (folder / "stolen" / "sum" / "1.in").symlink_to(folder.parent / "key")
    return folder


def refused(rustbox: Rustbox, service: Service, folder: Path, text: str | bytes) -> str:
    """Return the error of a file. It reaches no service, and shows no key."""
    path = folder / "project.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in ("plan", "apply"):
        ended = rustbox(command, str(path))
        assert (ended.exit_code, ended.stdout, service.asked) == (65, "", []), ended.stderr
        assert KEY not in ended.stderr
        assert "\x1b" not in ended.stderr
        assert len(ended.stderr) < 3_000
    return str(ended.stderr)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB + "checks: *a11", "the file has more than 100,000 values, its aliases written out"),
        ("checks: &a [*a]", "the file has more than 100,000 values, its aliases written out"),
        ("checks: &a {slug: *a}", "the file has more than 100,000 values, its aliases written out"),
        ("checks: [" + "a, " * 100_001 + "]", "the file has more than 100,000 values"),
        ("#" * (yaml_file.MAX_BYTES + 1), "is larger than 2,097,152 bytes"),
        ("[" * 100_000, "is not valid YAML"),
        ("checks: " + "[" * 150 + "]" * 150, "checks"),
        ("project: {files_mb: " + "9" * 5_000 + "}", "is not valid YAML"),
        ("project: {files_mb: .inf}", "this is no number"),
        ("project: {files_mb: .nan}", "this is no number"),
        ('status_page: {title: "\\ud800", checks: [a]}', "is not valid YAML"),
        (b"checks: [\xff]", "is not valid YAML"),
        ("checks: [!!python/object/apply:os.system [id]]", "is not valid YAML"),
        ("checks:\n- &a " + HEARTBEAT + "\n" + "- *a\n" * 1_000, "checks: at most 1,000; these are 1,001"),
        ('checks: [{slug: a, "\\e[2J": 1}]', r"checks[0].\x1b[2J: there is no such setting"),
        (
            'endpoints: [{url: a, description: "\\e]"}, {url: b, description: "\\e]"}]',
            r"the description \x1b] is there",
        ),
        ('checks: ["\\e[2J", *x]', "is not valid YAML"),
        ("endpoints: [{url: $A}]", "an endpoint whose URL is in the environment needs a description"),
        ("endpoints: [{url: a, description: x}, {url: b, description: x}]", "endpoints[1]: the description x is there"),
        ("endpoints: [{url: a, headers: {x: 7}}]", "endpoints[0].headers.x: 7 is not of type 'string'"),
        ("endpoints: [{url: a, formt: slack}]", "did you mean format?"),
        ("project: {network: {allow: [a.example.com]}}", "'access' is a dependency of 'allow'"),
        ("project: {enabled: false}", "project.enabled: there is no such setting"),
        ("hosts: {}", "hosts: there is no such setting"),
        ("quiet_times: {'a b': []}", "quiet_times: 'a b' does not match"),
        ("problems: none", "none cannot be read: No such file or directory"),
        ("problems: a.py", "a.py cannot be read: Not a directory"),
        ("problems: stolen", "is a link to a file outside of"),
        ("problems: linked", "is outside of"),
    ],
)
def test_a_hostile_file_is_refused_before_any_request(
    rustbox: Rustbox, service: Service, folder: Path, text: str | bytes, message: str
) -> None:
    assert message in refused(rustbox, service, folder, text)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("link.py", "is outside of"),
        ("../key", "is outside of"),
        ("linked/key", "is outside of"),
        ("/etc/passwd", "is outside of"),
        ("zero.py", "is outside of"),
        (".git/config", "or in .git"),
        ("git.py", "or in .git"),
        ("loop.py", "cannot be read"),
        ("a\\0b", "cannot be read"),
        (".", "cannot be read: Is a directory"),
    ],
)
def test_a_program_outside_of_the_folder_is_not_read(
    rustbox: Rustbox, service: Service, folder: Path, name: str, message: str
) -> None:
    for setting in ("file: ", "file: a.py, stdin_file: "):
        text = f'checks: [{{slug: a, language: python, {setting}"{name}"}}]'
        assert message in refused(rustbox, service, folder, text)


def test_a_link_inside_of_the_folder_is_read(rustbox: Rustbox, folder: Path) -> None:
    (folder / "checks.yaml").write_text("checks: [{slug: a, file: inner.py}]")
    assert rustbox("checks", "validate", str(folder / "checks.yaml")).exit_code == 0


def test_a_folder_that_is_itself_a_link_is_read(rustbox: Rustbox, folder: Path) -> None:
    (folder.parent / "here").symlink_to(folder)
    (folder / "checks.yaml").write_text("checks: [{slug: a, file: a.py}]")
    os.chdir(folder.parent)
    assert rustbox("checks", "validate", "here/checks.yaml").exit_code == 0


@pytest.mark.whole  # reading a large file takes seconds
def test_many_keys_cost_no_square_of_their_number(rustbox: Rustbox, service: Service, folder: Path) -> None:
    text = "checks:\n" + "".join(f"  k{number}: 1\n" for number in range(45_000))
    assert "is not of type 'array'" in refused(rustbox, service, folder, text)
