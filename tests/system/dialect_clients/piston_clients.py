"""Run programs with the published Python clients of Piston; print what they got as JSON. Arguments: URL, key."""

import asyncio
import json
import sys

from pyston import File as PystonFile  # type: ignore[import-not-found]  # the clients have an environment of their own
from pyston import PystonClient
from ultra_piston import File, PistonClient  # type: ignore[import-not-found]

URL, KEY = sys.argv[1:]


def ultra() -> dict[str, object]:
    client = PistonClient(api_key=KEY, base_url=f"{URL}/api/v2", rate_limit=0)
    ran = client.post_execute(
        language="python",
        version="3.x",
        file=File(content="import sys; print(input(), sys.argv[1:])"),
        stdin="42",
        args=["a b"],
        run_timeout=20_000,
    )
    return {
        "languages": sorted(one.language for one in client.get_runtimes()),
        "packages": len(client.get_packages()),
        "stdout": ran.run.stdout,
        "code": ran.run.code,
    }


async def pyston() -> dict[str, object]:
    client = PystonClient(api_key=KEY, base_url=f"{URL}/api/v2/")
    ran = await client.execute("c", [PystonFile("int main(void){return x;}")], run_timeout=20_000)
    languages = await client.languages()
    await client.close_session()
    return {"languages": sorted(languages), "compile": ran.compile_stage.output, "code": ran.run_stage.code}


sys.stdout.write(json.dumps({"ultra-piston": ultra(), "aiopyston": asyncio.run(pyston())}))
