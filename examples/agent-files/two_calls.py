"""A model's second program reads the file of its first one: two calls of `run_code`, and no bytes sent twice.

Arguments: the address of /mcp, and an API key. It needs the package `mcp`.
"""

import asyncio
import sys

import httpx2  # type: ignore[import-not-found]  # of the package mcp
from mcp import Client  # type: ignore[import-not-found]
from mcp.client.streamable_http import streamable_http_client  # type: ignore[import-not-found]

WRITE = "import csv\ncsv.writer(open('squares.csv', 'w')).writerows((n, n * n) for n in range(5))"
READ = "import csv\nprint(sum(int(row[1]) for row in csv.reader(open('squares.csv'))))"


async def main(url: str, key: str) -> None:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        first = await client.call_tool("run_code", {"language": "python", "code": WRITE, "artifacts": ["*.csv"]})
        files = [{"path": left["path"], "sha256": left["sha256"]} for left in first.structured_content["artifacts"]]
        second = await client.call_tool("run_code", {"language": "python", "code": READ, "files": files})
        print(second.structured_content["stdout"], end="")


asyncio.run(main(*sys.argv[1:]))
