"""MCP at /mcp: the sandbox as tools of a language model. It keeps no session; the id of a task is that of its run.

Facts: the specification of the revisions 2025-11-25 and 2026-07-28, and SEP-2663 for tasks of the latter.

message.py    JSON-RPC: read a message, write its answer; the protocol's revision, headers and tasks
tools.py      the tools and their arguments, and a run with its artifacts, as a model reads them
api.py        what the tools do, the methods, the route, and the shape of errors
"""
