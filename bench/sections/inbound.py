"""A signed call from its sender to the receiver of the webhook about its run, one at a time."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence

import httpx

from bench.answers import Tally
from bench.hook_server import HookServer, Receipt
from bench.report import Section
from bench.rounds import Way, series
from bench.running_stack import running_stack
from bench.scale import Scale

_PATH = "/answers/0"
_PATIENCE_SECS = 60
_PAUSE_SECS = 0.001
_PROGRAM = "import json, sys\nprint(json.load(sys.stdin)['after'])\n"
_NOTES = [
    "A push as GitHub signs it runs a check with a Python program. One call at a time; every body is new.",
    "The first call is not counted: it finds nothing warm.",
    "From the answer 202, and from the start of the request, to the last byte of check.run.completed at a receiver.",
    "The receiver verifies each request with the standardwebhooks package; each call leads to one run that passed.",
]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    from_answer, from_request = list[float](), list[float]()
    with running_stack() as stack, HookServer() as hooks, stack.local.client() as client:
        url, secret = _check(client, hooks)
        for number in range(-1, scale.inbound_calls):  # the first one, which is not counted, finds nothing warm
            seen, body = len(hooks.receipts), _push(number + 1)
            begun = time.time()
            answer = client.post(url, content=body, headers=_signed(secret, body))
            accepted = time.time()
            receipt = _receipt(hooks, seen)
            problem = _problem(answer, receipt)
            if receipt is None or problem is not None:
                tally.fail(problem or "no webhook came")
                continue
            tally.right()
            if number < 0:
                continue
            from_answer.append((receipt.at - accepted) * 1000)
            from_request.append((receipt.at - begun) * 1000)
    ways = [
        Way("from the answer 202", lambda: 0, times_ms=from_answer),
        Way("from the start of the request", lambda: 0, times_ms=from_request),
    ]
    return Section(title="Signed calls", missing=None, notes=_NOTES, series=series("To the receiver", ways), figures=[])


def _check(client: httpx.Client, hooks: HookServer) -> tuple[str, str]:
    """Make an endpoint and a check; return the path of its calls, and their secret."""
    endpoint = _made(client, "/api/webhooks", {"url": hooks.url_of(_PATH), "events": ["check.run.completed"]})
    hooks.expect({_PATH: endpoint["secret"]}, frozenset())
    check = _made(client, "/api/checks", {"name": "pushed", "language": "python", "code": _PROGRAM})
    made = _made(client, f"/api/checks/{check['id']}/secret", {"verify": "github"})
    return made["url"], made["secret"]


def _made(client: httpx.Client, path: str, body: Mapping[str, object]) -> dict[str, str]:
    answer = client.post(path, json=body)
    answer.raise_for_status()
    made: dict[str, str] = answer.json()
    return made


def _push(number: int) -> bytes:
    return json.dumps({"ref": "refs/heads/main", "after": f"{number:040x}", "pusher": secrets.token_hex(8)}).encode()


def _signed(secret: str, body: bytes) -> dict[str, str]:
    return {
        "x-hub-signature-256": "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex(),
        "x-github-delivery": secrets.token_hex(16),
        "x-github-event": "push",
        "content-type": "application/json",
    }


def _receipt(hooks: HookServer, seen: int) -> Receipt | None:
    """Wait for the next request to the receiver."""
    deadline = time.monotonic() + _PATIENCE_SECS
    while len(hooks.receipts) <= seen and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECS)
    return hooks.receipts[seen] if len(hooks.receipts) > seen else None


def _problem(answer: httpx.Response, receipt: Receipt | None) -> str | None:
    if answer.status_code != httpx.codes.ACCEPTED or receipt is None:
        return f"a call was answered {answer.status_code}, and its webhook did not come"
    event = json.loads(receipt.body)
    if not receipt.is_genuine or event["run_id"] != answer.json()["id"] or event["status"] != "passed":
        return f"the webhook of a call is not genuine, or of another run: {event['status']}"
    return None
