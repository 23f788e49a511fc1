"""MCP at /mcp: the sandbox as tools of a language model. It keeps no session; the id of a task is that of its run.

Facts: the specification of the revisions 2025-11-25 and 2026-07-28, and SEP-2663 for tasks of the latter.

message.py     JSON-RPC: read one message, write its answer
revision.py    the revision of a request, what its headers must say, and its form of a task
arguments.py   the tools and their arguments
tools.py       the tools as a model reads them
shown_run.py   a run as text and structured content
artifacts.py   artifacts as pictures, text or links
calls.py       what the tools do
routes.py      the methods
api.py         the routes, and the shape of errors
"""
