"""Protocols of other services in front of the same sandbox: the published clients work with a new base URL.

An adapter translates names and shapes. Submissions are accepted as those of POST /api/submit are; no adapter has a
rule of execution, a table or a quota of its own.

routes.py          what all routes have: a project, accept a program and wait for its end
resolver.py        one dialect, and the resolver: it must be switched on, the key is in one of several headers
compiler_text.py   the text of a compiler without our heading
judge0/            Judge0 CE at /judge0
mcp/               MCP at /mcp
piston.py          Piston v2 at /piston
"""
