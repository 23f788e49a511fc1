"""Variables of a check reach its program in every language, and nothing of them stays for the next run."""

from collections.abc import Callable

import pytest

from events.completed import ExecutionCompleted
from tests.jail.language_programs.table import NAMES

Run = Callable[..., ExecutionCompleted]
READS = {
    "python": b'import os\nprint(os.environ.get("GREETING", "none"), os.environ["PATH"])\n',
    "c": b"""#include <stdio.h>
#include <stdlib.h>
int main(void) { char *g = getenv("GREETING"); printf("%s %s\\n", g ? g : "none", getenv("PATH")); }
""",
    "cpp": b"""#include <cstdlib>
#include <iostream>
int main() { auto g = std::getenv("GREETING"); std::cout << (g ? g : "none") << " " << std::getenv("PATH") << "\\n"; }
""",
    "java": b"""public class Main {
  public static void main(String[] a) {
    System.out.println(System.getenv().getOrDefault("GREETING", "none") + " " + System.getenv("PATH"));
  }
}
""",
    "javascript": b'console.log(process.env.GREETING ?? "none", process.env.PATH);\n',
    "typescript": b'const g: string = process.env.GREETING ?? "none";\nconsole.log(g, process.env.PATH);\n',
    "go": b"""package main
import ("fmt"; "os")
func main() { g, ok := os.LookupEnv("GREETING"); if !ok { g = "none" }; fmt.Println(g, os.Getenv("PATH")) }
""",
    "rust": b"""use std::env::var;
fn main() { println!("{} {}", var("GREETING").unwrap_or("none".into()), var("PATH").unwrap()); }
""",
    "lua": b'print((os.getenv("GREETING") or "none") .. " " .. os.getenv("PATH"))\n',
    "bash": b'echo "${GREETING-none} $PATH"\n',
}


def stdout(completed: ExecutionCompleted) -> bytes:
    assert completed.result.verdict == "AC", completed
    return completed.stdout.inline


@pytest.mark.parametrize("name", NAMES)
def test_a_program_gets_its_variables_and_the_next_one_does_not(run: Run, name: str) -> None:
    plain = stdout(run(name, READS[name]))
    assert plain.startswith(b"none /usr/bin")
    assert stdout(run(name, READS[name], environment={"GREETING": "héllo"})) == plain.replace(b"none", "héllo".encode())
    assert stdout(run(name, READS[name])) == plain


@pytest.mark.parametrize("name", ["python", "c"])
def test_a_secret_is_masked_in_both_streams(run: Run, name: str) -> None:
    variables = {"GREETING": "hunter22", "OTHER": "hunter2"}
    assert b"hunter" not in stdout(run(name, READS[name], environment=variables, secret_names=("GREETING",)))
    fails = run(
        "python", b'import os\nraise ValueError(os.environ["OTHER"])\n', environment=variables, secret_names=("OTHER",)
    )
    assert fails.stderr.inline.endswith(b"ValueError: ****\n")
