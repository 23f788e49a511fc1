"""Network, fleet and image on a real emulator, as far as it knows their resources."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.deploy import fleet
from infra.deploy.building import ensure_image
from infra.deploy.fleet import NETWORK, FleetSettings
from infra.deploy.stack import Stack
from infra.deploy.target import DeployError, Progress, Target
from infra.sam_template import read
from tests.system.local_stack import ROOT
from tests.system.ministack import ministack

pytestmark = [pytest.mark.timeout(600), pytest.mark.whole]
BUCKET = "templates"
# docs/emulators.md names them. The rest of the template refers to none of them but by these properties.
UNKNOWN_TO_MINISTACK = {
    "AWS::ECS::CapacityProvider",
    "AWS::ECS::ClusterCapacityProviderAssociations",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",  # with metric math
    "AWS::EC2::SecurityGroupIngress",
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with ministack(tmp_path_factory.mktemp("ministack")) as url:
        found = Target("dev", "us-east-1", url)
        found.client("s3").create_bucket(Bucket=BUCKET)
        yield found


@pytest.fixture(scope="module")
def network(target: Target) -> dict[str, str]:
    settings = FleetSettings(
        "arm64", "debian:trixie-slim", {"RunnerDomain": "runners.example.com", "ThirdZone": "false"}
    )
    parameters = fleet.deploy_network(target, BUCKET, settings, Progress())
    outputs = Stack(Target("dev-network", target.region, target.endpoint), Progress()).outputs()
    assert parameters == {
        "SubmitSubnetIds": outputs["SubnetIds"],
        "SubmitSecurityGroupIds": outputs["SubmitGroupId"],
        "RunnerUrl": "https://runners.example.com",
        "RunnerTokenParameter": "/rustbox/dev/runner-token",
    }
    return outputs


def test_the_network_is_created_with_the_endpoints_of_the_direct_path(target: Target, network: dict[str, str]) -> None:
    assert len(network["SubnetIds"].split(",")) == 2
    ec2: Any = target.client("ec2")
    endpoints = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [network["NetworkId"]]}])
    services = {item["ServiceName"].rpartition("us-east-1.")[2] for item in endpoints["VpcEndpoints"]}
    assert {"sqs", "s3", "dynamodb", "logs", "ecr.api", "ecr.dkr", "kms", "ssm"} <= services
    routes = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network["NetworkId"]]}])["RouteTables"]
    assert not [route for table in routes for route in table["Routes"] if route.get("GatewayId", "").startswith("igw")]
    assert fleet.deploy_network(target, BUCKET, FleetSettings("arm64", "", {"ThirdZone": "false"}), Progress()) == {}


def test_the_runners_are_created_without_unsupported_resources(target: Target, network: dict[str, str]) -> None:
    template = read(ROOT / "infra" / "runner_fleet.yaml")
    resources = template["Resources"]
    left_out = {name for name, item in resources.items() if item["Type"] in UNKNOWN_TO_MINISTACK}
    assert {resources[name]["Type"] for name in left_out} == UNKNOWN_TO_MINISTACK
    for name in left_out:
        del resources[name]
    del resources["Runners"]["DependsOn"], resources["Runners"]["Properties"]["CapacityProviderStrategy"]
    queues = {name: f"https://sqs.us-east-1.amazonaws.com/000000000000/{name}" for name in ("i", "b", "c")}
    policy: Any = target.client("iam")
    statement = {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    arn = policy.create_policy(PolicyName="runner", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    parameters = {
        "Stage": "dev",
        "NetworkId": network["NetworkId"],
        "SubnetIds": network["SubnetIds"],
        "SubmitGroupId": network["SubmitGroupId"],
        "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/rustbox-runner@sha256:" + "0" * 64,
        "RunnerPolicyArn": arn,
        "InteractiveQueueUrl": queues["i"],
        "BatchQueueUrl": queues["b"],
        "CompletionsQueueUrl": queues["c"],
        "PayloadsBucketName": "payloads",
        "RunnerDomain": "runners.example.com",
        "CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/00000000-0000-0000-0000-000000000000",
        "RunnerTokenParameter": "/rustbox/dev/runner-token",
    }
    # The emulator has no parameters of AWS's own, and takes none under their names.
    body, images = re.subn(r"{{resolve:ssm:/aws/service/ecs/[^}]+}}", "ami-00000000000000000", json.dumps(template))
    assert images
    target.client("s3").put_object(Bucket=BUCKET, Key="fleet.json", Body=body)
    stack = Stack(Target("dev-fleet", target.region, target.endpoint), Progress())
    assert stack.deploy(f"{target.endpoint}/{BUCKET}/fleet.json", parameters)
    made = stack.resources()
    # Further ports are of runs with network only.
    assert made.keys() == {name for name, item in resources.items() if not item.get("Condition", "").endswith("Port")}
    ecs: Any = target.client("ecs")
    task = ecs.describe_task_definition(taskDefinition=made["Runner"])["taskDefinition"]
    assert task["networkMode"] == "awsvpc"
    (container,) = task["containerDefinitions"]
    variables = {item["name"]: item["value"] for item in container["environment"]}
    assert variables["INTERACTIVE_QUEUE_URL"] == queues["i"]
    assert variables["LISTEN_ADDRESS"] == "0.0.0.0:8080"
    assert "RUNNER_TOKEN" not in variables  # a secret, by its name only
    said = fleet.state(target, Progress()) or ""
    assert re.fullmatch(rf"\d of 1 runners, log group {re.escape(made['Logs'])}", said), said
    stack.delete()
    assert fleet.state(target, Progress()) is None


def test_an_image_is_built_once_for_each_change_and_named_by_its_digest(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker is a script here that records its arguments, and pushes a manifest to the emulator's registry."""
    script = tmp_path / "docker"
    calls = tmp_path / "calls"
    script.write_text(f"""#!{os.environ.get("PYTHON", "/usr/bin/env python3")}
import json, subprocess, sys
open({str(calls)!r}, "a").write(json.dumps([sys.argv[1:], sys.stdin.read()]) + "\\n")
""")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DeployError, match="ECR has no image"):
        ensure_image(target, "arm64", "debian@sha256:1", Progress())
    login, build, push = [json.loads(line) for line in calls.read_text().splitlines()]
    assert login[0][:4] == ["login", "--username", "AWS", "--password-stdin"]
    assert login[1] not in json.dumps([login[0], build, push])  # the password is never an argument
    address = push[0][1]
    assert build[0][:5] == ["build", "--platform", "linux/arm64", "--tag", address]
    assert build[0][5:7] == ["--build-arg", "BASE_IMAGE=debian@sha256:1"]

    ecr: Any = target.client("ecr")
    tag = address.rpartition(":")[2]
    ecr.put_image(repositoryName="rustbox-runner", imageManifest='{"schemaVersion": 2}', imageTag=tag)
    uri = ensure_image(target, "arm64", "debian@sha256:1", Progress())
    assert uri.startswith(address.rpartition(":")[0] + "@sha256:")
    assert len(calls.read_text().splitlines()) == 3  # nothing was built
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}


def test_a_fleet_is_refused_for_an_emulator_and_with_unknown_parameters(target: Target) -> None:
    with pytest.raises(DeployError, match="RUNNERS=fleet needs AWS"):
        fleet.check(target, FleetSettings("arm64", "", {}))
    with pytest.raises(DeployError, match=r"unknown parameters: Nonsense.*Ceiling"):
        fleet.check(Target("dev", "eu-central-1", None), FleetSettings("arm64", "", {"Nonsense": "1"}))
    fleet.delete(target, NETWORK, Progress())
    fleet.delete(target, NETWORK, Progress())  # there is none any more
