"""Tells submit which runner to ask, and counts its calls of the tables."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from functions.aws import clients
from functions.aws.clients import Clients
from functions.handlers import judge, result, submit
from functions.submissions.direct import DirectRunners
from tests.adapters.aws_account import Aws
from tests.adapters.runner_system import TOKEN

PARAMETER = "/rustbox/runner-token"


def forget_wiring() -> None:
    """End what the functions keep that call a runner, as the end of their processes would."""
    for env in (submit.ENV, result.ENV, judge.ENV):
        runner = env[DirectRunners].runner
        while runner is not None and runner.connections._kept:
            runner.connections._kept.pop()[1].close()
        env.forget()


def use(aws: Aws, port: int, token: str = TOKEN, *, network_port: int | None = None) -> None:
    """Tell submit where to ask. `network_port`: the same for runs with network."""
    clients._secrets.drop(PARAMETER)
    Clients.ssm().put_parameter(Name=PARAMETER, Value=token, Type="SecureString", Overwrite=True)
    aws.monkeypatch.setenv("RUNNER_URL", f"http://127.0.0.1:{port}")
    aws.monkeypatch.setenv("NETWORK_RUNNER_URL", f"http://127.0.0.1:{network_port}" if network_port else "")
    aws.monkeypatch.setenv("ALLOW_RUNNER_HTTP", "true")
    aws.monkeypatch.setenv("RUNNER_TOKEN_PARAMETER", PARAMETER)
    forget_wiring()


@contextmanager
def table_calls(aws: Aws) -> Iterator[tuple[list[str], list[str]]]:
    """Operations on the submissions table and on the quotas table."""
    of_table: dict[str, list[str]] = {aws.names["SubmissionsTable"]: [], aws.names["QuotasTable"]: []}

    def note(model: Any, params: Any, **_: Any) -> None:
        body = json.loads(params["body"])
        writes = [next(iter(item.values())) for item in body.get("TransactItems", ())]
        for name in {target["TableName"] for target in (body, *writes) if "TableName" in target}:
            of_table.get(name, []).append(model.name)

    events = Clients.dynamodb().meta.events
    events.register("before-call.dynamodb", note)
    try:
        submissions, quotas = of_table.values()
        yield submissions, quotas
    finally:
        events.unregister("before-call.dynamodb", note)
