"""Protocols of other services in front of the same sandbox: the published clients work with a new base URL.

An adapter translates names and shapes. Submissions are accepted as those of POST /api/submit are; no adapter has a
rule of execution, a table or a quota of its own.

dialect.py       one dialect: its name, its header with the key, its errors, its routes
project_key.py   the project of a request's key, in any of its headers
run.py           accept the program of a request, and wait for its end
resolver.py      the resolver: a dialect must be switched on, and errors have its shape
judge0/          Judge0 CE at /judge0
mcp/             MCP at /mcp
piston/          Piston v2 at /piston
"""
