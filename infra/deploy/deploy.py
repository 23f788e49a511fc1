"""`make deploy`: create or update a stage. Repeating it without a change changes nothing."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cfnlint.api import lint

from infra.deploy import account_checks as preflight
from infra.deploy import emulator, fleet, smoke_test
from infra.deploy.account_checks import Preflight
from infra.deploy.api import Api, address, create_first_project, smoke_test_key
from infra.deploy.building import ROOT, Package, build
from infra.deploy.costs import POLLED, PRICES_OF, SYNCHRONOUS, WEBHOOK, dollars_a_month, dollars_per_million
from infra.deploy.fleet import FleetSettings
from infra.deploy.smoke_test import receiver_on_aws, runner_process, write_runner_env
from infra.deploy.stack import (
    KEY_DAYS,
    Retained,
    Stack,
    bucket_name,
    delete_bucket,
    delete_secrets,
    ensure_bucket,
    ensure_secret,
    find_secret,
    retained,
    upload_package,
    upload_template,
)
from infra.deploy.target import DeployError, Progress, Target
from infra.sam_template import TemplateInvalidError, parameter_values, read, translate


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a deployment. `parameters`: of template.yaml, by name. `runner_env`: file for the runners.

    `tags`: of the stage's stack, which CloudFormation puts on its resources.
    `fleet`: parameters of network.yaml and runner_fleet.yaml; None: no fleet. `base_image`: of its image.
    """

    architecture: str
    parameters: dict[str, str]
    runner_env: Path
    start_runner: bool
    fleet: dict[str, str] | None
    base_image: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A deployment before anything is created. `template`: translated; its functions are `package`, in `bucket`."""

    parameters: dict[str, str]
    fleet: FleetSettings | None
    package: Package
    bucket: str
    template: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Creates or updates a stage."""

    target: Target
    settings: Settings
    progress: Progress

    def apply(self) -> None:
        """Deploy, then test. Raises DeployError."""
        target, stack = self.target, Stack(self.target, self.progress)
        checked = self._check(stack)
        self._create(stack, checked)
        outputs, resources = stack.outputs(), stack.resources()
        if target.endpoint is not None and (tables := emulator.set_expiry(target, checked.template, resources)):
            self.progress.step("expiry", f"set by API calls, as this CloudFormation does not: {', '.join(tables)}")
        base_url = address(target, resources["Api"], outputs["ApiUrl"])
        if checked.fleet is not None:
            fleet.deploy_runners(target, checked.bucket, checked.fleet, outputs, self.progress)
        wrote = write_runner_env(self.settings.runner_env, target, outputs)
        self.progress.step("runner", f"{self.settings.runner_env} {'written' if wrote else 'is up to date'}")
        first_key = None
        try:
            with Api(base_url, "X-Admin-Key", find_secret(target, target.admin_key_parameter) or "") as admin:
                first_key = create_first_project(admin)
                check_key = smoke_test_key(target, admin, base_url)
            with Api(base_url, "X-API-Key", check_key) as api:
                self._smoke_test(outputs, api, checked.bucket)
        finally:
            # After a failed test too: the next deployment does not show the key of the first project.
            self._tell(base_url, first_key, outputs)

    def _check(self, stack: Stack) -> _Checked:
        """Check the settings and the account, and build package and template. Nothing is created."""
        target, settings = self.target, self.settings
        _document({"Stage": target.stage} | settings.parameters)  # before the account is asked for anything
        preflight.check_runner_url(settings.parameters)
        found = preflight.check(target, settings.architecture)
        if target.endpoint is not None:
            emulator.check_python(target)
        of_fleet = None
        if settings.fleet is not None:
            of_fleet = FleetSettings(found.architecture, settings.base_image, settings.fleet)
            fleet.check(target, of_fleet)
        parameters = self._parameters(found, stack)
        self._announce(found, parameters)
        document = _document(parameters)  # before the package, which takes a while
        package = build(found.architecture)
        self.progress.step("package", f"{package.path.name}, {package.size / (1 << 20):.2f} MiB")
        bucket = bucket_name(target, found.account)
        template = _template(document, parameters, f"s3://{bucket}/{package.digest}.zip")
        # After the translation, which resolves no parameter: a repeat without a change has the same name.
        parameters = {"Release": _release_name(package, template, parameters)} | parameters
        if target.endpoint is not None:
            template = emulator.without_rollout(emulator.with_numbers(template, parameters))
        self.progress.step("lint", f"{len(template['Resources'])} resources, no findings")
        if target.endpoint is None:
            price = f"${dollars_a_month(template):.0f} a month"
            self.progress.step("costs", f"without any run {price}: alarms, dashboard, key, polls, schedules")
        return _Checked(parameters, of_fleet, package, bucket, template)

    def _create(self, stack: Stack, checked: _Checked) -> None:
        """Create or update secrets, bucket, network and stack."""
        target, progress, bucket = self.target, self.progress, checked.bucket
        for name in (target.admin_key_parameter, target.runner_token_parameter):
            progress.step("secret", f"{name} {'created' if ensure_secret(target, name) else 'exists'}")
        ensure_bucket(target, bucket)
        key, uploaded = upload_package(target, bucket, checked.package)
        progress.step("upload", f"s3://{bucket}/{key} {'uploaded' if uploaded else 'exists'}")
        parameters = checked.parameters
        if checked.fleet is not None:
            parameters = fleet.deploy_network(target, bucket, checked.fleet, progress) | parameters
        changed = stack.deploy(upload_template(target, bucket, checked.template), parameters, self.settings.tags)
        progress.step("stack", f"{target.stack_name} {'is deployed' if changed else 'has no changes'}")

    def _parameters(self, found: Preflight, stack: Stack) -> dict[str, str]:
        deployed = (stack.describe() or {}).get("Parameters", [])
        before = {parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in deployed}
        preflight.check_due_shards(before, self.settings.parameters)
        concurrency = preflight.concurrency_parameters(found.unreserved)
        if before.get("ReserveConcurrency") == "true":
            # The rest of the account is now smaller by our own part: keep the first division.
            concurrency = {name: before[name] for name in concurrency if name in before}
        parameters = {
            "Stage": self.target.stage,
            "Architecture": found.architecture,
            "AdminKeyParameter": self.target.admin_key_parameter,
            **concurrency,
            "LongestWaitSecs": str(preflight.longest_wait_secs(concurrency)),
        }
        if self.target.is_loopback:
            parameters |= {"AllowInsecureWebhookTargets": "true"}
        return parameters | self.settings.parameters

    def _announce(self, found: Preflight, parameters: Mapping[str, str]) -> None:
        where = self.target.endpoint or self.target.region
        self.progress.step("preflight", f"account {found.account}, {where}, as {found.caller}")
        self.progress.step("preflight", f"stage {self.target.stage}, functions on {found.architecture}")
        self.progress.step("preflight", preflight.describe_concurrency(found.concurrency, parameters))
        if self.target.endpoint is None:
            runs = (SYNCHRONOUS, POLLED, WEBHOOK)
            costs = ", ".join(f"{run.name} ${dollars_per_million(run, found.architecture):.0f}" for run in runs)
            what = f"a million runs of half a second (prices of {PRICES_OF}, without runners, storage)"
            self.progress.step("costs", f"{what}: {costs}")

    def _smoke_test(self, outputs: dict[str, str], api: Api, bucket: str) -> None:
        with ExitStack() as parts:
            patience_secs, log = 0.0 if self.settings.fleet is None else fleet.START_SECS, None
            if self.settings.start_runner and not smoke_test.wait_for_runner(api, 0):
                folder = Path(parts.enter_context(TemporaryDirectory()))
                parts.enter_context(runner_process(self.target, outputs, folder))
                self.progress.step("runner", "started on this machine, for the smoke test only")
                patience_secs, log = smoke_test.RUNNER_SECS, folder / "runner.log"
            if not smoke_test.wait_for_runner(api, patience_secs):
                if log is not None:
                    raise DeployError(f"the runner did not report within {patience_secs:g} s:\n{_end_of(log)}")
                self.progress.step(
                    "smoke test", "no runner has reported: start one, or see `make deploy-status`; then repeat this"
                )
                return
            smoke_test.run(api, self.progress)
            if self.target.is_loopback:
                smoke_test.run_webhook_here(api, self.progress)
            else:
                self.progress.step("webhook", "creating a public receiver for this test; it is deleted at the end")
                hook = parts.enter_context(receiver_on_aws(self.target, bucket, self.progress))
                smoke_test.run_webhook_on_aws(api, self.progress, hook.url, hook.secret)

    def _tell(self, base_url: str, first_key: str | None, outputs: dict[str, str]) -> None:
        tell, target = self.progress.plain, self.target
        tell()
        tell(f"API        {base_url}")
        if first_key is not None:
            tell(f"API key    {first_key}")
            tell("           of the first project; it is shown only now")
        tell(f"admin key  aws ssm get-parameter --with-decryption --name {target.admin_key_parameter}")
        if self.settings.fleet is None:
            tell(f"runners    give each host a role with {outputs['RunnerPolicyArn']}")
            tell(f"           (for runs with network: {outputs['NetworkRunnerPolicyArn']}), then start the image:")
            tell("           docs/runner.md#start-a-container")
        if target.endpoint is None:
            tell(f"dashboard  {outputs['DashboardUrl']}")
        tell(f"next       make deploy-status STAGE={target.stage}")


def _document(parameters: dict[str, str]) -> dict[str, Any]:
    """Return the template. Raises DeployError for parameters that it refuses."""
    document = read(ROOT / "template.yaml")
    try:
        parameter_values(document, parameters)
    except TemplateInvalidError as error:
        raise DeployError(str(error)) from error
    return document


def _template(document: dict[str, Any], parameters: dict[str, str], code_uri: str) -> dict[str, Any]:
    try:
        template = translate(document, parameters, code_uri)
    except TemplateInvalidError as error:
        raise DeployError(str(error)) from error
    if problems := [f"  {match}" for match in lint(json.dumps(template))]:
        raise DeployError("cfn-lint found problems in the translated template:\n" + "\n".join(problems))
    return template


def _release_name(package: Package, template: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
    """Name code, template and parameters: another name makes new versions of the functions."""
    inputs = json.dumps([package.digest, template, dict(parameters)], sort_keys=True)
    return hashlib.sha256(inputs.encode()).hexdigest()[:16]


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])


# `make undeploy`: delete a stage. Data stays unless its deletion is asked for.


def undeploy(target: Target, progress: Progress, *, delete_data: bool) -> None:
    """Delete the stack and the code; list the data that stays, or delete it; delete the network. Raises DeployError.

    A repeat goes on with the stacks that an interrupted call has left.
    """
    account = target.client("sts").get_caller_identity()["Account"]
    stack = Stack(target, progress)
    is_there = stack.describe() is not None
    if not (is_there or fleet.exists(target, fleet.RUNNERS, progress) or fleet.exists(target, fleet.NETWORK, progress)):
        raise DeployError(f"there is no stack {target.stack_name}: check STAGE, REGION and ENDPOINT")
    kept = retained(stack.resources()) if is_there else []
    if delete_data and (protected := [resource.name for resource in kept if resource.is_protected(target)]):
        raise DeployError(
            f"{', '.join(protected)} cannot be deleted: deploy with DeletionProtection=false first, then repeat"
        )
    fleet.delete(target, fleet.NETWORKED, progress)
    fleet.delete(target, fleet.RUNNERS, progress)
    if is_there:
        stack.delete()
        progress.step("stack", f"{target.stack_name} is deleted")
        delete_bucket(target, bucket_name(target, account))
        progress.step("code", "its bucket is deleted")
        _settle_data(target, kept, progress, delete_data=delete_data)
    # Last: the interfaces of submit are in it, which Lambda removes some time after the function.
    fleet.delete(target, fleet.NETWORK, progress)


def _settle_data(target: Target, kept: list[Retained], progress: Progress, *, delete_data: bool) -> None:
    left = [resource for resource in kept if resource.exists(target)]
    if delete_data:
        for resource in left:
            resource.delete(target)
            progress.step("deleted", f"{resource.name}  {resource.physical_id}")
        for name in delete_secrets(target):
            progress.step("deleted", name)
        progress.plain(f"The KMS key can be restored for {KEY_DAYS} days: aws kms cancel-key-deletion")
        return
    progress.step("stays", f"secrets in SSM under /rustbox/{target.stage}/, for the next deployment of this stage")
    for resource in left:
        progress.step("stays", f"{resource.name}  {resource.physical_id}")
    if left:
        progress.plain("A new deployment does not use this data. To delete it:")
        progress.plain("\n".join(f"  {resource.command}" for resource in left))


# `make deploy-status`: the stack, its runners and its queues.

_WINDOW = timedelta(minutes=10)


def status(target: Target, progress: Progress) -> None:
    """Print the state of the stack, its runners and queues. Raises DeployError without a stack."""
    stack = Stack(target, progress)
    found = stack.describe()
    if found is None:
        raise DeployError(f"there is no stack {target.stack_name}: run `make deploy STAGE={target.stage}`")
    progress.plain(f"stack      {target.stack_name}  {found['StackStatus']}")
    outputs, resources = stack.outputs(), stack.resources()
    base_url = address(target, resources["Api"], outputs["ApiUrl"])
    with Api(base_url, "User-Agent", "rustbox deploy-status") as api:
        health = api.call("GET", "/api/health")
    progress.plain(f"API        {base_url}  {health['status']}, version {health['version']}")
    versions = ", ".join(health["runner_versions"])
    live = f"runners    {health['workers']} slots, {health['enforcement_mode']}, version {versions}"
    progress.plain(live if health["node_id"] else _NONE)
    for name, kind in (("fleet", fleet.RUNNERS), ("netfleet", fleet.NETWORKED)):
        if (runners := fleet.state(target, progress, kind)) is not None:
            progress.plain(f"{name:<11}{runners}")
    progress.plain(f"{'queue':<26}{'waiting':>9}{'in flight':>11}{'oldest':>9}")
    for name, url in resources.items():
        if name.endswith(("Queue", "DeadLetters")) and "/" in url:
            progress.plain(queue_line(target, name, url))


_NONE = "runners    none has reported in the last minute: start one (docs/runner.md)"


def queue_line(target: Target, name: str, url: str) -> str:
    """Return the messages of a queue, and the age of the oldest."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    age_secs = _oldest_secs(target, url.rpartition("/")[2])
    age = "-" if age_secs is None else f"{age_secs:.0f} s"
    return f"{name:<26}{counts[names[0]]:>9}{counts[names[1]]:>11}{age:>9}"


def _oldest_secs(target: Target, queue: str) -> float | None:
    """Return the age of the oldest message as CloudWatch last saw it, None if it has no value."""
    now = datetime.now(UTC)
    cloudwatch: Any = target.client("cloudwatch")
    try:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": queue}],
            StartTime=now - _WINDOW,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
    except (ClientError, BotoCoreError):  # an emulator without CloudWatch; the counts are shown all the same
        return None
    newest = max(points, key=lambda point: point["Timestamp"], default=None)
    return None if newest is None else float(newest["Maximum"])
