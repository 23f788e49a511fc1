"""A request imports no module of ours: Lambda has a whole CPU at the cold start, and less for a request."""

import subprocess
import sys

import pytest

_PROGRAM = """
import importlib, sys
from types import SimpleNamespace
from functions.aws.clients import Clients
from functions.settings import Settings
from functions.telemetry import logger

handler, name, *parts = sys.argv[1:]
kind = getattr(importlib.import_module(f"functions.handlers.{handler}"), name)
for client in ("dynamodb", "sqs", "events", "kms", "s3", "s3_signing"):
    setattr(Clients, client, staticmethod(lambda: SimpleNamespace(meta=SimpleNamespace(partition="aws"))))
numbers = {"webhook_senders": 4, "webhook_senders_of_process": 1, "webhook_retry_secs": (0,), "limit_ceilings": ()}
settings = dict.fromkeys(Settings.__annotations__, "x") | numbers
deployment = kind(Settings(settings), logger("test"))
before = set(sys.modules)
for part in parts:
    getattr(deployment, part)
print(*sorted(module for module in sys.modules.keys() - before if module.startswith(("functions.", "events."))))
"""
PARTS = {
    ("operations", "OperationDeployment"): (
        *("projects", "submissions", "deliveries", "delivery_list", "endpoints", "checks", "check_runs"),
        *("submission_list", "deletion", "status_pages", "quiet_times"),
        *("problems", "problem_removal"),
    ),
    ("webhooks", "CardDeployment"): (
        *("projects", "endpoints", "endpoint_deletions", "endpoint_secrets", "latencies", "bodies"),
        *("egress", "deliveries", "delivery_list", "replays", "recovery", "log_writer"),
    ),
    ("deliver", "CardDeployment"): ("deliverer",),
    ("checks", "InboundDeployment"): (
        *("projects", "checks", "check_runs", "check_events", "triggers", "trigger_rules", "check_hints"),
        *("check_request_limit", "check_variables", "inbound_secrets", "inbound_calls", "call_log"),
        *("pings", "ping_taking", "quiet_times", "status_pages", "outages", "rendered_pages"),
    ),
    ("check_schedule", "CheckRunDeployment"): (
        *("checks", "check_runs", "firing", "clock_repair", "starter", "following", "requested_runs", "run_steps"),
    ),
    ("submit", "JudgeDeployment"): ("projects", "fleet", "acceptance", "results", "long_poll"),
    ("dialects", "JudgeDeployment"): ("projects", "fleet", "acceptance", "results", "long_poll"),
    ("judge", "JudgeDeployment"): (
        *("projects", "fleet", "acceptance", "judge_results", "judge_runs", "progress", "deletion", "long_poll"),
        *("cancellation", "problems", "problem_lookup", "problem_push", "problem_removal"),
    ),
    ("result", "ResultDeployment"): (
        *("projects", "results", "submission_list", "deletion", "long_poll", "fleet", "queues"),
        *("cancellation", "check_hints"),
        "files",
    ),
    ("record", "RecordDeployment"): ("recorder", "check_hints"),
    ("sweep", "EveryDeployment"): (*("recorder", "check_hints", "queues", "secret_boxes", "due_webhooks"),),
    ("announce", "AnnounceDeployment"): (
        *("triggers", "check_hints", "judge_runs", "payloads", "submissions", "event_bus"),
    ),
}
"""By entry point and its deployment: the properties that its requests use."""


@pytest.mark.parametrize("handler", PARTS, ids=lambda handler: handler[0])
def test_what_a_request_uses_is_imported_at_the_cold_start(handler: tuple[str, str]) -> None:
    program = [sys.executable, "-c", _PROGRAM, *handler, *PARTS[handler]]
    ran = subprocess.run(program, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
