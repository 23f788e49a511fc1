"""A guest reaches neither the metadata service nor the task's credentials, where both answer its runner."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.jail.metadata_world import SECRET

ROOT = Path(__file__).parents[2]
WORLD = Path(__file__).with_name("metadata_world.py")

PYTHON = """
import os, socket, urllib.request
for url in ("http://169.254.169.254/latest/meta-data/iam/security-credentials/", "http://169.254.170.2/v2/credentials/"):
    for method in ("GET", "PUT"):
        try:
            print(urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=2).read().decode())
        except OSError as error:
            print("refused", method, error)
print(dict(os.environ))
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            print(open(f"/proc/{pid}/{name}").read())
        except OSError as error:
            print("refused", pid, name, error)
try:
    print(os.listdir("/sys/class/net"), open("/proc/net/fib_trie").read())
except OSError as error:
    print("refused", error)
"""
C = """
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
extern char **environ;
int main(void) {
    const char *addresses[] = {"169.254.169.254", "169.254.170.2"};
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
        inet_pton(AF_INET, addresses[i], &to.sin_addr);
        int stream = socket(AF_INET, SOCK_STREAM, 0);
        if (stream < 0 || connect(stream, (struct sockaddr *)&to, sizeof to)) {
            puts("refused");
            continue;
        }
        const char *request = "GET /latest/meta-data/ HTTP/1.0\\r\\n\\r\\n";
        char answer[4096] = {0};
        write(stream, request, strlen(request));
        for (ssize_t got, have = 0; (got = read(stream, answer + have, sizeof answer - 1 - have)) > 0;) have += got;
        puts(answer);
    }
    for (char **variable = environ; *variable; variable++) puts(*variable);
    return 0;
}
"""


def _in_world(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, str(WORLD), *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "code"), [("thief.py", PYTHON), ("thief.c", C)])
def test_a_guest_reaches_neither_metadata_nor_credentials_of_its_host(name: str, code: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_text(code)
    said = _in_world(sys.executable, "-m", "sandbox_runtime", "run", str(program))
    assert "refused" in said
    assert SECRET not in said


def test_the_same_program_outside_the_jail_reaches_both(tmp_path: Path) -> None:
    program = tmp_path / "thief.py"
    program.write_text(PYTHON)
    said = _in_world(sys.executable, str(program))
    assert said.count(f"{SECRET}\n") >= 4  # both addresses, both methods
    assert f"/v2/credentials/{SECRET}" in said  # and the variable that leads there
