"""Protocols of other services in front of the same sandbox: the published clients work with a new base URL.

An adapter translates names and shapes. Submissions are accepted as those of POST /api/submit are; no adapter has a
rule of execution, a table or a quota of its own.

dialect.py        one dialect: what its routes have, and the resolver: it is switched on, the request has one key
jobe.py           Jobe at /jobe
judge0/           Judge0 CE at /judge0
librechat.py      LibreChat's code API at /librechat
mcp/              MCP at /mcp
piston.py         Piston v2 at /piston
sandboxfusion.py  SandboxFusion at /sandboxfusion
"""


def without_heading(language: str, stderr: bytes) -> bytes:
    """Return the stderr of a program that does not compile, without the line that our runners write above it."""
    return stderr.removeprefix(f"{language} Compilation Error:\n".encode())
