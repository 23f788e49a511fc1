"""An upgrade from an earlier revision on an emulator while clients use the stage, and the way back.

The revision has no aliases, and its zip gets one later repair: it could not call S3. ministack kills the invocations of
a function that changes, which AWS lets end, and each function changes several times: this is harder than a release.
"""

import json
import os
import sys
from base64 import b64decode
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

import httpx
import pytest

from bench.compare import checkout
from infra.deploy.api import address as of_api
from infra.deploy.building import own_architecture
from infra.deploy.emulator import with_numbers, without_rollout
from infra.deploy.smoke_test import runner_process
from infra.deploy.stack import Stack, bucket_name, ensure_bucket, ensure_secret, find_secret, upload_template
from infra.deploy.target import Progress, Target
from tests.commands import run_to_end
from tests.system.local_stack import ROOT
from tests.system.ministack import ministack
from tests.system.upgrade_load import Load
from tests.system.webhook_inbox import open_inbox

pytestmark = [pytest.mark.timeout(1800), pytest.mark.whole]
BEFORE = "e3501437"
_LOAD_SECS = float(os.environ.get("RUSTBOX_UPGRADE_SECS", "15"))
"""Of each state of the stage: all old, all new, old and new side by side in two ways, all old again."""
# As short as the template allows, so that the work of killed functions is soon repeated.
_PARAMETERS = {
    "SubmissionVisibilitySecs": "20",
    "PipelineVisibilitySecs": "30",
    "PendingRedriveSecs": "5",
    "WebhookRetrySecs": "0,1,1,1,2,2,2,2,2,2",
    "OfferedLanguages": "python",
}
_QUOTA = {"per_minute": 100_000, "per_day": 1_000_000, "in_flight": 500}
_ACCOUNT = "000000000000"
_PART = "name: _without_documentation(part)\n"
_REPAIRED_PART = "name: part if name == 'clientContextParams' else _without_documentation(part)\n"
"""Of revision 7e71da20, in the module that shortens botocore's descriptions of services."""


# Runs in a checkout. Argument: the bucket of the zip. Prints its path, its hash and the translated template.
_BUILD = """
import json, sys
from pathlib import Path
try:
    from infra.deploy.building.package import build, own_architecture  # where it was until December 2026
except ImportError:
    from infra.deploy.building import build, own_architecture
from infra.sam_template import read, translate
package = build(own_architecture())
template = translate(read(Path("template.yaml")), None, f"s3://{sys.argv[1]}/{package.digest}.zip")
template["Parameters"] = read(Path("template.yaml"))["Parameters"]
print("\\n" + json.dumps({"zip": str(package.path), "digest": package.digest, "template": template}))
"""


@dataclass(frozen=True, slots=True)
class Release:
    """The template of a checkout, whose functions are the uploaded zip with this hash."""

    digest: str
    template: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """Code, handler and variables of one function."""

    code: dict[str, str]
    handler: str
    variables: dict[str, str]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage on an emulator."""

    target: Target

    def put_release(self, release: Release, **parameters: str) -> None:
        """Create or update the stack, without a smoke test."""
        given = _PARAMETERS | {
            "Stage": self.target.stage,
            "Architecture": own_architecture(),
            "AdminKeyParameter": self.target.admin_key_parameter,
            "AllowInsecureWebhookTargets": "true",
            **parameters,
        }
        template = without_rollout(with_numbers(release.template, given))
        assert self.stack.deploy(upload_template(self.target, self.bucket, template), given)

    def build(self, root: Path) -> Release:
        """Build the zip and the template of a checkout by its own code, and upload the zip."""
        done = run_to_end([sys.executable, "-c", _BUILD, self.bucket], cwd=root, timeout=600)
        assert done.returncode == 0, done.stderr
        built = json.loads(done.stdout.splitlines()[-1])
        self.target.client("s3").upload_file(built["zip"], self.bucket, f"{built['digest']}.zip")
        return Release(built["digest"], built["template"])

    @property
    def bucket(self) -> str:
        return bucket_name(self.target, _ACCOUNT)

    @property
    def stack(self) -> Stack:
        return Stack(self.target, Progress())

    def versions(self) -> dict[str, Version]:
        """Return what each function is now, by its name in the template."""
        found = {}
        for name, physical_id in self.stack.resources().items():
            if name.endswith("Function"):
                config = self.target.client("lambda").get_function_configuration(FunctionName=physical_id)
                key = f"{b64decode(config['CodeSha256']).hex()}.zip"
                code = {"S3Bucket": self.bucket, "S3Key": key}
                found[name] = Version(code, config["Handler"], config["Environment"]["Variables"])
        return found

    def put(self, versions: dict[str, Version]) -> None:
        """Give functions these versions: the newest, which queues call on ministack, and that of the alias."""
        functions, ids = self.target.client("lambda"), self.stack.resources()
        for name, version in versions.items():
            functions.update_function_configuration(
                FunctionName=ids[name], Handler=version.handler, Environment={"Variables": version.variables}
            )
            functions.update_function_code(FunctionName=ids[name], **version.code)
            published = functions.publish_version(FunctionName=ids[name])["Version"]
            functions.update_alias(FunctionName=ids[name], Name="live", FunctionVersion=published)

    def new_project(self, address: str, name: str) -> str:
        """Return the key of a new project with high quotas."""
        admin_key = find_secret(self.target, self.target.admin_key_parameter) or ""
        with httpx.Client(base_url=address, headers={"X-Admin-Key": admin_key}, timeout=100) as admin:
            made = admin.post("/api/projects", json={"name": name, "quotas": {"judge": _QUOTA}})
            assert made.is_success, made.text
            key = admin.post(f"/api/projects/{made.json()['id']}/keys")
            return str(key.json()["key"])


def test_an_upgrade_under_load_and_the_way_back_lose_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if run_to_end(["git", "cat-file", "-e", f"{BEFORE}^{{commit}}"]).returncode:
        pytest.skip(f"this clone has no revision {BEFORE}: run `git fetch --unshallow`")

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"upgrade: {text}", flush=True)  # noqa: T201 - the numbers are what a reader of the log wants

    with ExitStack() as parts:
        before = parts.enter_context(checkout(BEFORE))
        module = before / "infra" / "deploy" / "building" / "service_data.py"
        source = module.read_text()
        assert _PART in source
        module.write_text(source.replace(_PART, _REPAIRED_PART))
        stage = Stage(Target("local", "us-east-1", parts.enter_context(ministack(tmp_path))))
        ensure_bucket(stage.target, stage.bucket)
        ensure_secret(stage.target, stage.target.admin_key_parameter)
        earlier, later = stage.build(before), stage.build(ROOT)
        stage.put_release(earlier)
        api_id, outputs = stage.stack.resources()["Api"], stage.stack.outputs()
        address, old = of_api(stage.target, api_id, outputs["ApiUrl"]), stage.versions()
        for name, root in (("old", before), ("new", ROOT)):
            (folder := tmp_path / f"{name}-runner").mkdir()
            parts.enter_context(runner_process(stage.target, outputs, folder, root))

        def open_client(key: str) -> httpx.Client:
            return httpx.Client(base_url=address, headers={"X-API-Key": key}, timeout=100, trust_env=False)

        checks = parts.enter_context(open_client(stage.new_project(address, "checks")))
        load = Load(
            partial(open_client, stage.new_project(address, "load")),
            checks,
            parts.enter_context(open_inbox()),
            parts.enter_context(open_inbox()),
        )
        parts.callback(load.close)

        def stay(state: str) -> None:
            """Let the load run for a while; the present code reads everything."""
            sent = len(load.sent)
            sleep(_LOAD_SECS)
            wrong = [*load.unreadable()]
            tell(f"{state}: {len(load.sent)} accepted, {len(load.sent) - sent} of them now, {len(wrong)} unreadable")
            assert wrong == []

        load.start()
        stay("old")
        stage.put_release(later, CompressCases="false", Release="later")
        new = stage.versions()
        stay("new")
        load.push_problem("second")
        for turn in range(2):
            place = dict(zip(sorted(old), range(len(old)), strict=True))
            stage.put({name: (old if (place[name] + turn) % 2 else new)[name] for name in old})
            stay("side by side")
        stage.put({name: new[name] for name in old})
        stage.put_release(earlier)
        assert stage.stack.resources()["Api"] == api_id
        stay("old again")
        load.end()
        lost, wrong = [*load.lost()], [*load.unreadable()]
        passed, not_started = load.check_runs
        tell(
            f"{len(load.sent)} accepted, {load.refused} requests refused or cut off and repeated, "
            f"{load.delivered} events delivered, {load.twice} twice, "
            f"{passed} runs of a check and {not_started} minutes without one; "
            f"lost or wrong {len(lost)}, unreadable {len(wrong)}"
        )
        assert (lost, wrong) == ([], [])
