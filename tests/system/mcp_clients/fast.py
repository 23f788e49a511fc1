"""One call by the published client `fastmcp`. Arguments: an address and an API key. Prints JSON."""

import asyncio
import json
import sys

from fastmcp import Client  # type: ignore[import-not-found]  # the clients have an environment of their own
from fastmcp.client.transports import StreamableHttpTransport  # type: ignore[import-not-found]


async def main(url: str, key: str) -> None:
    async with Client(StreamableHttpTransport(url, headers={"Authorization": f"Bearer {key}"})) as client:
        result = await client.call_tool(
            "run_code", {"language": "python", "code": "open('a.bin', 'wb').write(b'\\xff')"}
        )
        (file,) = result.structured_content["artifacts"]
        (content,) = await client.read_resource(file["uri"])
        refused = await client.call_tool("run_code", {"language": "cobol", "code": "x"}, raise_on_error=False)
        sys.stdout.write(
            json.dumps({"verdict": result.data.verdict, "blob": content.blob, "refused": refused.content[0].text})
        )


asyncio.run(main(*sys.argv[1:]))
