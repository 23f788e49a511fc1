"""An agent whose model is a script, over the published client `mcp`. Prints what it saw as JSON.

Arguments: an address and an API key, for HTTP; or `--` and the command of a server, for standard input and output.
"""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2  # type: ignore[import-not-found]  # the clients have an environment of their own
from mcp import Client, StdioServerParameters  # type: ignore[import-not-found]
from mcp.client.streamable_http import streamable_http_client  # type: ignore[import-not-found]

POINTS = "0,1\n1,4\n2,9\n"
PICTURE = """
import struct, sys, zlib
rows = [list(map(int, line.split(","))) for line in open("points.csv")]
pixels = b"".join(b"\\0" + bytes(value for row in rows for value in (row[1] * 20, 0, 0)) for _ in rows)
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
head = struct.pack(">IIBBBBB", len(rows), len(rows), 8, 2, 0, 0, 0)
picture = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
open("plot.png", "wb").write(b"\\x89PNG\\r\\n\\x1a\\n" + picture)
print(len(rows), "points")
"""


def model(history: Sequence[Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the next call of a tool, from the results so far; None at the end."""
    if len(history) == 2:
        assert "totl" in history[1]["text"]
        assert "line 2" in history[1]["text"]
    endless_id = {"id": history[4]["data"]["id"]} if len(history) > 4 else {}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_languages", {}),
        ("run_code", {"language": "python", "code": "total = sum(range(10))\nprint(totl)"}),
        ("run_code", {"language": "python", "code": "total = sum(range(10))\nprint(total)"}),
        ("run_code", {"language": "python", "code": PICTURE, "files": [{"path": "points.csv", "content": POINTS}]}),
        ("run_code", {"language": "python", "code": "print('x' * 9000)\nwhile True: pass", "wait_secs": 1}),
        ("read_output", {**endless_id, "stream": "stdout", "offset": 8_999}),
        ("cancel_run", endless_id),
        ("read_output", endless_id),
    ]
    return calls[len(history)] if len(history) < len(calls) else None


@asynccontextmanager
async def connected(arguments: Sequence[str]) -> AsyncIterator[Any]:
    if arguments[0] == "--":
        server = StdioServerParameters(command=arguments[1], args=arguments[2:], env=None)
        async with Client(server) as client:
            yield client
        return
    url, key = arguments
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def main() -> None:
    history: list[dict[str, Any]] = []
    async with connected(sys.argv[1:]) as client:
        tools = await client.list_tools()
        while (call := model(history)) is not None:
            result = await client.call_tool(*call)
            history.append(
                {
                    "text": "\n".join(block.text for block in result.content if block.type == "text"),
                    "images": [
                        base64.b64decode(block.data)[:8].hex() for block in result.content if block.type == "image"
                    ],
                    "is_error": bool(result.is_error),
                    "data": result.structured_content,
                }
            )
    sys.stdout.write(json.dumps({"tools": [tool.name for tool in tools.tools], "history": history}))


asyncio.run(main())
