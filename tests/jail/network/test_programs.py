"""The hostile programs against the network of runs without one are contained in a run with network too."""

import re

import pytest

from tests.jail.guest_requests import Run
from tests.jail.hostile.beacons import beacons
from tests.jail.hostile.catalogue import Program, all_programs

# T26: hosts, T27: loopbacks and names, T28: abstract sockets. In languages that start quickly.
THREATS, LANGUAGES = {26, 27, 28}, ("python", "c", "javascript", "go")
# Against namespaces, and the kinds of sockets that a program may make.
KINDS = re.compile("socket_.*|raw_socket|enter_namespace|unshare_.*|clone_user")
# These two take a loopback that is up for an escape.
LOOPBACK = ("python/connect_out.py", "python/network_tables.py")
PROGRAMS = [
    program
    for program in all_programs()
    if program.language in LANGUAGES and program.name not in LOOPBACK
    if THREATS & set(program.threats) or KINDS.fullmatch(program.attack)
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_against_the_network_is_contained(run_with_network: Run, program: Program) -> None:
    with beacons() as stdin:
        completed = run_with_network(
            program.language, program.code.decode(), allow=[("api.example.com", 443)], stdin=stdin
        )
    assert b"ESCAPED" not in completed.stdout.inline, completed.stdout.inline
    assert completed.result.verdict in program.expected
    assert completed.evidence is not None
    assert completed.evidence.controls_missing == ()
