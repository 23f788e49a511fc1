"""The programs of the README that the official client of Judge0 comes with, unmodified but for address and key."""

import json
import os
import re
import sys
from collections.abc import Callable
from doctest import DocTestParser
from pathlib import Path

import pytest

from functions.projects.store import ProjectStore
from tests.choice import whole_but
from tests.commands import run_to_end
from tests.jail.installed_data_packages import toolchains_with_packages
from tests.system.local_stack import ROOT, LocalStack

CLIENT = ROOT / ".sdk" / "dialects-python"
_BLOCK = re.compile(r"^#+ ([^\n]*)$|^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_OF_MODELS = 5  # they ask a hosted model for the program
_PRINTED = {
    # What it left has its source under our name.
    "Judge0 Python SDK": "'hello, world\\n'\n1.0\n1\n'solution.py'\nb\"print('hello, world')\"\n",
    # CE has no language with the name of the client's default, so the client refuses it before it sends anything.
    "Option 1: Explicit Client Object": "RuntimeError: Client RapidJudge0CE does not support language",
    "Option 2: Implicit Client Object": "hello, world\n\n",
    "hello, world": "hello, world\n\n",
    "Running C Programming Language": "hello, world\n\n",
    "Running Java Programming Language": "hello, world\n\n",
    "Reading From Standard Input": "8\nHello, Bob!\n\n",
    "Test Cases": "Accepted\n" * 3,
    "Test Cases And Multiple Languages": "Accepted\n" * 6,
    "Asynchronous Execution": "None\nhello, world\n\n",
    "Get Languages": "Language(id=71, name='Python",
    "Filesystem": "hello from my_file.txt\nhello, world\n\n",
    "Custom Judge0 Client": "hello, world\n\n",
    "Generating And Saving An Image File": "Generated image saved as: chart.png\n\n",
}


def programs() -> tuple[dict[str, str], int]:
    """Return the programs by their headings, and how many others ask a model."""
    (metadata,) = CLIENT.glob("judge0-*.dist-info/METADATA")
    found, heading, of_models = dict[str, str](), "", 0
    for title, program in _BLOCK.findall(metadata.read_text(encoding="utf-8").replace("\r\n", "\n")):
        heading = title or heading
        if "ollama" in program:
            of_models += 1
        elif program:
            found[heading] = program
    return found, of_models


PROGRAMS, OF_MODELS = programs()
# The others do a part of what one of these does.
QUICK = {
    *("Judge0 Python SDK", "Option 1: Explicit Client Object", "Test Cases And Multiple Languages"),
    *("Asynchronous Execution", "Get Languages", "Filesystem", "Custom Judge0 Client"),
    "Generating And Saving An Image File",
}


@pytest.fixture(scope="module")
def variables(small_stack: Callable[..., LocalStack], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Start a stack with data packages; return the variables of its clients. The key may only run."""
    toolchains = toolchains_with_packages(tmp_path_factory.mktemp("toolchains"))
    local = small_stack(RUSTBOX_PARAM_OfferedLanguages="", TOOLCHAINS_DIR=toolchains)
    local.start()
    local.add_project("client")
    key = ProjectStore("rustbox-local-ProjectsTable", local.aws("dynamodb")).issue_key("client", rights=("run",))
    url, headers = f"{local.url}/judge0", json.dumps({"X-Auth-Token": key})
    return {
        "URL": url,
        "KEY": key,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CLIENT),
        "JUDGE0_CE_ENDPOINT": url,
        "JUDGE0_CE_AUTH_HEADERS": headers,
        "JUDGE0_EXTRA_CE_ENDPOINT": f"{url}/extra",
        "JUDGE0_EXTRA_CE_AUTH_HEADERS": headers,
    }


def test_the_readme_has_the_programs_that_this_test_knows() -> None:
    assert (PROGRAMS.keys(), OF_MODELS) == (_PRINTED.keys(), _OF_MODELS)


@pytest.mark.parametrize("heading", whole_but(PROGRAMS, QUICK))
def test_a_program_of_the_readme_prints_its_result(variables: dict[str, str], tmp_path: Path, heading: str) -> None:
    program = PROGRAMS[heading].replace("xxx", variables["KEY"])
    program = program.replace("http://127.0.0.1:2358", variables["URL"].replace("//", f"//any:{variables['KEY']}@"))
    if program.startswith(">>>"):
        program = "".join(
            f"exec(compile({example.source!r}, 'README', 'single'))\n"
            for example in DocTestParser().get_examples(program)
        )
    address = f"import judge0\njudge0.RapidJudge0CE.DEFAULT_ENDPOINT = {variables['URL']!r}\n"
    ended = run_to_end([sys.executable, "-c", address + program], env=variables, cwd=tmp_path)
    printed = ended.stdout + ended.stderr.rpartition("\n\n")[2]
    if heading.startswith("Judge0"):  # time and memory
        printed = re.sub(r"\n[0-9.]+\n[0-9]+\n", "\n1.0\n1\n", printed)
    wanted = _PRINTED[heading]
    if heading.startswith("Test Cases"):
        printed = "".join(re.findall(r"^Accepted\n", printed, re.MULTILINE))
    assert (wanted in printed) if wanted.startswith(("Runtime", "Language")) else (printed == wanted), printed
    assert (ended.returncode == 0) != wanted.startswith("Runtime"), ended.stderr
    if "chart.png" in wanted:
        assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
