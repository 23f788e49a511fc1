"""`make deploy`: create or update a stage. Repeating it without a change changes nothing."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cfnlint.api import lint

from infra.deploy import artifacts, emulator, fleet, preflight, runner, smoke_test
from infra.deploy.api import Api, address
from infra.deploy.costs import PRICES_OF, RUNS, dollars_a_month, dollars_per_million
from infra.deploy.errors import DeployError
from infra.deploy.package import ROOT, build
from infra.deploy.projects import create_first_project, smoke_test_key
from infra.deploy.receiver import receiver
from infra.deploy.secrets import ensure_secret, find_secret
from infra.deploy.stack import Stack
from infra.sam_template import TemplateInvalidError, read, translate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.deploy.preflight import Preflight
    from infra.deploy.progress import Progress
    from infra.deploy.target import Target


@dataclass(frozen=True, slots=True)
class Wishes:
    """The settings of a deployment. `parameters`: of template.yaml, by name. `runner_env`: file for the runners.

    `fleet`: parameters of network.yaml and runner_fleet.yaml; None: no fleet. `base_image`: of its image.
    """

    architecture: str
    parameters: dict[str, str]
    runner_env: Path
    start_runner: bool
    fleet: dict[str, str] | None
    base_image: str


def up(target: Target, wishes: Wishes, progress: Progress) -> None:
    """Deploy, then test. Raises DeployError."""
    preflight.check_runner_url(wishes.parameters)
    stack = Stack(target, progress)
    found = preflight.check(target, wishes.architecture)
    of_fleet = None
    if wishes.fleet is not None:
        of_fleet = fleet.FleetWishes(found.architecture, wishes.base_image, wishes.fleet)
        fleet.check(target, of_fleet)
    parameters = _parameters(target, wishes, found, stack)
    _announce(target, found, parameters, progress)
    package = build(found.architecture)
    progress.step("package", f"{package.path.name}, {package.size / (1 << 20):.2f} MiB")
    bucket = artifacts.bucket_name(target, found.account)
    template = _template(parameters, f"s3://{bucket}/{package.digest}.zip")
    if target.endpoint is not None:
        template = emulator.with_numbers(template, parameters)
    progress.step("lint", f"{len(template['Resources'])} resources, no findings")
    if target.endpoint is None:
        progress.step("costs", f"without any run ${dollars_a_month(template):.0f} a month: alarms, dashboard, key")

    for name in (target.admin_key_parameter, target.runner_token_parameter):
        progress.step("secret", f"{name} {'created' if ensure_secret(target, name) else 'exists'}")
    artifacts.ensure_bucket(target, bucket)
    key, uploaded = artifacts.upload_package(target, bucket, package)
    progress.step("upload", f"s3://{bucket}/{key} {'uploaded' if uploaded else 'exists'}")
    if of_fleet is not None:
        parameters = fleet.deploy_network(target, bucket, of_fleet, progress) | parameters
    url = artifacts.upload_template(target, bucket, template)
    changed = stack.deploy(url, parameters)
    progress.step("stack", f"{target.stack_name} {'is deployed' if changed else 'has no changes'}")

    outputs, resources = stack.outputs(), stack.resources()
    if target.endpoint is not None and (tables := emulator.set_expiry(target, template, resources)):
        progress.step("expiry", f"set by API calls, as this CloudFormation does not: {', '.join(tables)}")
    base_url = address(target, resources["Api"], outputs["ApiUrl"])
    if of_fleet is not None:
        fleet.deploy_runners(target, bucket, of_fleet, outputs, progress)
    wrote = runner.write_file(wishes.runner_env, target, outputs)
    progress.step("runner", f"{wishes.runner_env} {'written' if wrote else 'is up to date'}")
    with Api(base_url, "X-Admin-Key", find_secret(target, target.admin_key_parameter) or "") as admin:
        first_key = create_first_project(admin)
        check_key = smoke_test_key(target, admin, base_url)
    with Api(base_url, "X-API-Key", check_key) as api:
        _smoke_test(target, wishes, outputs, api, bucket, progress)
    _tell(target, wishes, base_url, first_key, outputs, progress)


def _parameters(target: Target, wishes: Wishes, found: Preflight, stack: Stack) -> dict[str, str]:
    deployed = (stack.describe() or {}).get("Parameters", [])
    before = {parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in deployed}
    concurrency = preflight.concurrency_parameters(found.unreserved)
    if before.get("ReserveConcurrency") == "true":  # what is left now is less by our own part: keep the first division
        concurrency = {name: before[name] for name in concurrency if name in before}
    parameters = {
        "Stage": target.stage,
        "Architecture": found.architecture,
        "AdminKeyParameter": target.admin_key_parameter,
        **concurrency,
        "LongestWaitSecs": str(preflight.longest_wait_secs(concurrency)),
    }
    if target.is_loopback:
        parameters |= {"AllowInsecureWebhookTargets": "true"}
    return parameters | wishes.parameters


def _announce(target: Target, found: Preflight, parameters: Mapping[str, str], progress: Progress) -> None:
    where = target.endpoint or target.region
    progress.step("preflight", f"account {found.account}, {where}, as {found.caller}")
    progress.step("preflight", f"stage {target.stage}, functions on {found.architecture}")
    progress.step("preflight", preflight.describe_concurrency(found.concurrency, parameters))
    if target.endpoint is None:
        costs = ", ".join(f"{run.name} ${dollars_per_million(run, found.architecture):.0f}" for run in RUNS)
        progress.step("costs", f"a million runs (prices of {PRICES_OF}, without runners, logs, storage): {costs}")


def _template(parameters: dict[str, str], code_uri: str) -> dict[str, Any]:
    """Translate and check what will be deployed."""
    try:
        template = translate(read(ROOT / "template.yaml"), parameters, code_uri)
    except TemplateInvalidError as error:
        raise DeployError(str(error)) from error
    if problems := [f"  {match}" for match in lint(json.dumps(template))]:
        raise DeployError("cfn-lint found problems in the translated template:\n" + "\n".join(problems))
    return template


def _smoke_test(
    target: Target, wishes: Wishes, outputs: dict[str, str], api: Api, bucket: str, progress: Progress
) -> None:
    with ExitStack() as parts:
        patience_secs, log = 0.0 if wishes.fleet is None else fleet.START_SECS, None
        if wishes.start_runner and not smoke_test.wait_for_runner(api, 0):
            folder = Path(parts.enter_context(TemporaryDirectory()))
            parts.enter_context(runner.process(target, outputs, folder))
            progress.step("runner", "started on this machine, for the smoke test only")
            patience_secs, log = smoke_test.RUNNER_SECS, folder / "runner.log"
        if not smoke_test.wait_for_runner(api, patience_secs):
            if log is not None:
                raise DeployError(f"the runner did not report within {patience_secs:g} s:\n{_end_of(log)}")
            progress.step(
                "smoke test", "no runner has reported: start one, or see `make deploy-status`; then repeat this"
            )
            return
        smoke_test.run(api, progress)
        if target.is_loopback:
            smoke_test.run_webhook_here(api, progress)
        else:
            progress.step("webhook", "creating a public receiver for this test; it is deleted at the end")
            hook = parts.enter_context(receiver(target, bucket, progress))
            smoke_test.run_webhook_on_aws(api, progress, hook.url, hook.secret)


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])


def _tell(
    target: Target,
    wishes: Wishes,
    base_url: str,
    first_key: str | None,
    outputs: dict[str, str],
    progress: Progress,
) -> None:
    progress.plain()
    progress.plain(f"API        {base_url}")
    if first_key is not None:
        progress.plain(f"API key    {first_key}")
        progress.plain("           of the first project; it is shown only now")
    progress.plain(f"admin key  aws ssm get-parameter --with-decryption --name {target.admin_key_parameter}")
    if wishes.fleet is None:
        progress.plain(f"runners    give each host a role with {outputs['RunnerPolicyArn']}, then start the image:")
        progress.plain("           docs/runner.md#start-a-container")
    if target.endpoint is None:
        progress.plain(f"dashboard  {outputs['DashboardUrl']}")
    progress.plain(f"next       make deploy-status STAGE={target.stage}")
