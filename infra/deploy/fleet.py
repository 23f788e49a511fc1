"""`make deploy RUNNERS=fleet`: a private network, and runners on ECS in it. Both are stacks beside the stage's own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cfnlint.api import lint

from infra.deploy.building import ROOT, ensure_image
from infra.deploy.stack import Stack, upload_template
from infra.deploy.target import DeployError, Progress, Target
from infra.sam_template import read, wrong_values

NETWORK, RUNNERS, NETWORKED = "network", "fleet", "netfleet"
"""Kinds of stacks. NETWORKED: the runners of runs with network, where the parameter Egress is true."""
START_SECS = 600.0
"""Time for the first runner to report: a host starts, pulls the image and tries each language."""
_OF_STAGE = (
    "RunnerPolicyArn",
    "InteractiveQueueUrl",
    "BatchQueueUrl",
    "CompletionsQueueUrl",
    "PayloadsBucketName",
    "SubmissionVisibilitySecs",
)
_SIZES = {"NetworkFloor": "Floor", "NetworkCeiling": "Ceiling"}
"""Parameters of the runners of runs with network that the others have too, each with a value of its own."""
_ONLY_NETWORKED = ("SecondPort", "ThirdPort", "FourthPort")
_DIRECT = ("RunnerDomain", "CertificateArn")


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """The settings of a fleet. `parameters`: of network.yaml and runner_fleet.yaml, by name."""

    architecture: str
    base_image: str
    parameters: Mapping[str, str]

    @property
    def is_direct(self) -> bool:
        """Whether synchronous submissions go to the runners through the load balancer."""
        return bool(self.parameters.get("RunnerDomain"))

    @property
    def has_egress(self) -> bool:
        """Whether there are runners for runs with network."""
        return self.parameters.get("Egress") == "true"


def check(target: Target, settings: FleetSettings) -> None:
    """Raise DeployError for settings that cannot work, before anything is created."""
    if target.endpoint is not None:
        raise DeployError("RUNNERS=fleet needs AWS: emulators start no EC2 hosts. Leave RUNNERS out")
    declared = {name for kind in (NETWORK, RUNNERS) for name in _template(kind)["Parameters"]} | _SIZES.keys()
    if unknown := sorted(settings.parameters.keys() - declared):
        raise DeployError(
            f"FLEET has unknown parameters: {', '.join(unknown)}. There are {', '.join(sorted(declared))}"
        )
    sizes = {_SIZES.get(name, name): value for name, value in settings.parameters.items() if name in _SIZES}
    known = [(kind, _known(kind, settings.parameters)) for kind in (NETWORK, RUNNERS)]
    if problems := [
        each for kind, given in (*known, (RUNNERS, sizes)) for each in wrong_values(_template(kind), given)
    ]:
        raise DeployError(f"FLEET: {'; '.join(problems)}")
    if not settings.has_egress and (given := sorted(settings.parameters.keys() & {*_SIZES, *_ONLY_NETWORKED})):
        raise DeployError(f"{', '.join(given)}: only with Egress=true, which adds the runners of runs with network")


def deploy_network(target: Target, bucket: str, settings: FleetSettings, progress: Progress) -> dict[str, str]:
    """Deploy the network and return the parameters that template.yaml needs because of it."""
    parameters = {"Stage": target.stage, "DirectPath": "true" if settings.is_direct else "false"}
    if not settings.has_egress:
        delete(target, NETWORKED, progress)  # it would keep the subnets that the network gives up
    outputs = _deploy(target, NETWORK, bucket, parameters | _known(NETWORK, settings.parameters), progress)
    if not settings.is_direct:
        return {}
    return {
        "SubmitSubnetIds": outputs["SubnetIds"],
        "SubmitSecurityGroupIds": outputs["SubmitGroupId"],
        "RunnerUrl": f"https://{settings.parameters['RunnerDomain']}",
        "RunnerTokenParameter": target.runner_token_parameter,
    }


def deploy_runners(
    target: Target, bucket: str, settings: FleetSettings, stage_outputs: Mapping[str, str], progress: Progress
) -> None:
    """Push the image, then create or update the runners, and those of runs with network."""
    network = Stack(_beside(target, NETWORK), progress).outputs()
    shared = {
        "Stage": target.stage,
        "Architecture": settings.architecture,
        "ImageUri": ensure_image(target, settings.architecture, settings.base_image, progress),
        "NetworkId": network["NetworkId"],
        **{name: stage_outputs[name] for name in _OF_STAGE},
    }
    given = _known(RUNNERS, settings.parameters)
    parameters = shared | {"SubnetIds": network["SubnetIds"]} | _without(given, _ONLY_NETWORKED)
    if settings.is_direct:
        parameters |= {
            "SubmitGroupId": network["SubmitGroupId"],
            "RunnerTokenParameter": target.runner_token_parameter,
        }
    _deploy(target, RUNNERS, bucket, parameters, progress)
    if settings.has_egress:
        own = {_SIZES[name]: value for name, value in settings.parameters.items() if name in _SIZES}
        queues = {
            "InteractiveQueueUrl": stage_outputs["NetworkQueueUrl"],
            "BatchQueueUrl": "",
            "RunnerPolicyArn": stage_outputs["NetworkRunnerPolicyArn"],
        }
        place = {"Kind": "network-runner", "SubnetIds": network["EgressSubnetIds"]}
        _deploy(target, NETWORKED, bucket, shared | _without(given, _DIRECT) | own | queues | place, progress)


def state(target: Target, progress: Progress, kind: str = RUNNERS) -> str | None:
    """Return how many runners of a kind there are and should be; None without a fleet."""
    stack = Stack(_beside(target, kind), progress)
    if stack.describe() is None:
        return None
    outputs, ecs = stack.outputs(), target.client("ecs")
    (service,) = ecs.describe_services(cluster=outputs["ClusterName"], services=[outputs["ServiceName"]])["services"]
    return f"{service['runningCount']} of {service['desiredCount']} runners, log group {outputs['LogGroupName']}"


def exists(target: Target, kind: str, progress: Progress) -> bool:
    return Stack(_beside(target, kind), progress).describe() is not None


def delete(target: Target, kind: str, progress: Progress) -> None:
    """Delete the stack of this kind, if there is one."""
    if exists(target, kind, progress):
        Stack(_beside(target, kind), progress).delete()
        progress.step("stack", f"{_beside(target, kind).stack_name} is deleted")


def _deploy(target: Target, kind: str, bucket: str, parameters: dict[str, str], progress: Progress) -> dict[str, str]:
    template = _template(kind)
    if problems := [f"  {match}" for match in lint(json.dumps(template))]:
        raise DeployError(f"cfn-lint found problems in the template of the {kind}:\n" + "\n".join(problems))
    beside = _beside(target, kind)
    stack = Stack(beside, progress)
    changed = stack.deploy(upload_template(target, bucket, template), parameters)
    progress.step("stack", f"{beside.stack_name} {'is deployed' if changed else 'has no changes'}")
    return stack.outputs()


def _template(kind: str) -> dict[str, Any]:
    return read(ROOT / "infra" / ("network.yaml" if kind == NETWORK else "runner_fleet.yaml"))


def _known(kind: str, parameters: Mapping[str, str]) -> dict[str, str]:
    declared = _template(kind)["Parameters"]
    return {name: value for name, value in parameters.items() if name in declared}


def _without(parameters: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if name not in names}


def _beside(target: Target, kind: str) -> Target:
    return replace(target, stage=f"{target.stage}-{kind}")
