"""MCP at /mcp: the sandbox as tools of a language model. It keeps no session; the id of a task is that of its run.

Facts: the specification of the revisions 2025-11-25 and 2026-07-28, and SEP-2663 for tasks of the latter.

message.py    JSON-RPC: read a message, write its answer; the protocol's revision, headers and tasks
tools.py      the tools and their arguments, as a model reads them
shown_run.py  a run as text and structured content, its artifacts as pictures, text or links
calls.py      what the tools do
api.py        the methods, the routes, and the shape of errors
"""
