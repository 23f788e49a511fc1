"""Uses the client that openapi-python-client made of our document. Prints JSON."""

import json
import sys

from rustbox_serverless_client import AuthenticatedClient  # type: ignore[import-not-found]  # made by the test
from rustbox_serverless_client.api.runs import submit  # type: ignore[import-not-found]
from rustbox_serverless_client.models import FinalResult, SubmitRequest  # type: ignore[import-not-found]


def main(base_url: str, api_key: str) -> None:
    client = AuthenticatedClient(base_url, token=api_key, prefix="", auth_header_name="X-API-Key")
    program = SubmitRequest.from_dict({"language": "python", "code": "print(6 * 7)"})
    finished = submit.sync(client=client, body=program, wait=True)
    assert isinstance(finished, FinalResult)
    sys.stdout.write(json.dumps({"verdict": finished.verdict, "stdout": finished.stdout}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
