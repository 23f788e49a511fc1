"""Run programs with the published Python clients of Judge0; print what they got as JSON. Arguments: URL, key."""

import asyncio
import json
import sys

import judge0  # type: ignore[import-not-found]  # the clients have an environment of their own
from judge0_api_wrapper import CreateSubmission  # type: ignore[import-not-found]
from judge0_api_wrapper.judge0 import Judge0  # type: ignore[import-not-found]
from judge0_client.client import Judge0Client  # type: ignore[import-not-found]
from judge0_client.models.single_file_submission import SingleFileSubmission  # type: ignore[import-not-found]

URL, KEY = sys.argv[1:]
PYTHON = 71


def official() -> dict[str, object]:
    client = judge0.Client(URL, {"X-Auth-Token": KEY})
    one = judge0.run(client=client, source_code="print(input())", language=judge0.PYTHON, stdin="42")
    cases = [("1", "1"), ("2", "3")]
    judged = judge0.run(client=client, source_code="print(input())", language=judge0.PYTHON, test_cases=cases)
    broken = judge0.run(client=client, source_code="int main(void){return x;}", language=judge0.C)
    files = judge0.filesystem.Filesystem(content=judge0.filesystem.File(name="in.txt", content="from a file"))
    with_file = judge0.run(
        client=client, source_code="print(open('in.txt').read())", language=judge0.PYTHON, additional_files=files
    )
    return {
        "version": client.version,
        "stdout": one.stdout,
        "status": str(one.status),
        "time": one.time,
        "cases": [str(each.status) for each in judged],
        "expected": [each.expected_output for each in judged],
        "compile_output": broken.compile_output,
        "with_file": with_file.stdout,
        "batch": client.config.max_submission_batch_size,
    }


async def unofficial() -> dict[str, object]:
    async with Judge0Client(URL, auth_token=KEY) as client:
        request = SingleFileSubmission(source_code="import sys; print(6 * 7); sys.exit(3)", language_id=PYTHON)
        token = (await client.create_submission(request)).token
        shown = await client.get_submission(token)
        while shown.status.id <= 2:
            await asyncio.sleep(0.2)
            shown = await client.get_submission(token)
        return {
            "about": (await client.get_about()).version,
            "stdout": shown.stdout,
            "status": shown.status.description,
            "message": shown.message,
        }


def wrapper() -> dict[str, object]:
    client = Judge0(URL, KEY, KEY)
    requests = [CreateSubmission(source_code=f"print({number})", language_id=PYTHON) for number in (1, 2)]
    single = client.wait_for_completion(client.submit(requests[0]))
    batch = client.wait_for_completions(client.submit_batch(requests))
    return {
        "languages": sorted(client.languages),
        "stdout": single.stdout,
        "result": single.result.name,
        "batch": [each.stdout for each in batch],
    }


answers = {"judge0": official(), "judge0-client": asyncio.run(unofficial()), "judge0-api-wrapper": wrapper()}
sys.stdout.write(json.dumps(answers))
