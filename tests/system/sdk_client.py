"""Runs in a process of its own with one published rustbox package: every call, unmodified. Prints JSON."""

import asyncio
import json
import sys
from typing import Any

from rustbox import Rustbox  # type: ignore[import-not-found]  # of the version under test


async def main(base_url: str, api_key: str, networked_id: str) -> dict[str, Any]:
    async with Rustbox(api_key, base_url=base_url) as client:
        submitted = await client.submit("python", "print(1 + 1)")
        polled = await client.get_result(submitted["id"])
        while polled["status"] in {"pending", "running"}:
            await asyncio.sleep(0.05)
            polled = await client.get_result(submitted["id"])
        return {
            "run": await client.run("python", "print(input())", stdin="hello\n"),
            "run_failing": await client.run("c", "int main(void){return 3;}"),
            "submitted": submitted,
            "polled": polled,
            "networked": await client.get_result(networked_id),
            "languages": await client.get_languages(),
            "health": await client.get_health(),
            "ready": await client.get_ready(),
            "judged": await judge(client) if hasattr(client, "judge") else None,
        }


async def judge(client: Any) -> Any:
    """Judge a program on three cases, the last with a wrong answer. Only the newest version can."""
    cases = [
        {"stdin": "1 2\n", "expected": "3\n"},
        {"stdin": "20 22\n", "expected": "42"},
        {"stdin": "1 1\n", "expected": "3\n"},
    ]
    return await client.judge("python", "print(sum(map(int, input().split())))", cases, profile="judge")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
