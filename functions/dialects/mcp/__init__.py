"""MCP at /mcp: the sandbox as tools of a language model. It keeps no session; the id of a task is that of its run.

Facts: the specification of the revisions 2025-11-25 and 2026-07-28, and SEP-2663 for tasks of the latter.

message.py      JSON-RPC: read one message, write its answer
revision.py     the revision of a request, and what its headers must say
tools.py        the tools as a model reads them
arguments.py    check the arguments of a tool
shown_run.py    a run as text, pictures and structured content
artifacts.py    read an artifact, also by its URI
tasks.py        a run as a task of both revisions
calls.py        the tools
routes.py       the methods
api.py          the routes
"""
