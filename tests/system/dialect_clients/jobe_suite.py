"""Run `testsubmit.py` of github.com/trampgeek/jobe, unmodified, against a running stack: all pass but those named here.

It is in no package registry, so no test runs it. Arguments: the file, the address of the stack, which has the key of
tests:

    PYTHONPATH=. .venv/bin/python tests/system/dialect_clients/jobe_suite.py testsubmit.py http://127.0.0.1:8080
"""

import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.system.key_forwarder import adding_key

DIGEST = "76a0494511f8183df4ecda34fa789dd9480e42426de84a50d707c728d2e3287f"
"""Of revision cffff99."""
LANGUAGES = ("c", "cpp", "java", "nodejs", "python3")
NOT_HERE = {
    "Testing use of interpreter args with Python3": "the sandbox starts interpreters in one way: 400",
    "Valid Python3/pylint program": "no pylint in the sandbox",
    "Memory limit exceeded in C (seg faults)": "memory counts when it is used, not when it is reserved",
    "Testing overload exception": "a hook of Jobe's own server for one source text",
}
"""Tests that fail, and why."""
_FAILED = re.compile(r"\*+ FAILED TEST \*+\n\n.*\n(.*)\n")


def main(suite: str, url: str) -> None:
    assert sha256(Path(suite).read_bytes()).hexdigest() == DIGEST
    with adding_key(url) as address:
        host, port = address.removeprefix("http://").split(":")
        command = [sys.executable, suite, "--host", host, "--port", port, *LANGUAGES]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    failed = set(_FAILED.findall(said))
    if failed != NOT_HERE.keys() or "TEST FAILED" in said or "exceptions" not in said:
        sys.exit(f"{said}\nUnexpected: {failed ^ NOT_HERE.keys()}")
    (counts,) = re.findall(r"\d+ tests, .*", said)
    sys.stdout.write(f"{counts}. Those that fail:\n")
    sys.stdout.writelines(f"  {comment}: {reason}\n" for comment, reason in NOT_HERE.items())


if __name__ == "__main__":
    main(*sys.argv[1:])
