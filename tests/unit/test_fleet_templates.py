"""The templates of network and fleet: no findings, least privilege, and nobody reaches a runner but who must."""

import json
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from infra.deploy import fleet as resources_fleet
from infra.deploy.fleet import FleetSettings
from infra.deploy.stack import Stack
from infra.deploy.target import DeployError, Progress, Target
from infra.sam_template import read, translate
from tests.template_policies import references, statements

INFRA = Path(__file__).parents[2] / "infra"
# AWS has no resource for these: https://docs.aws.amazon.com/service-authorization/latest/reference/
WITHOUT_RESOURCE = {"ecs:DiscoverPollEndpoint", "ecr:GetAuthorizationToken"}


@pytest.fixture(scope="module", params=["network.yaml", "runner_fleet.yaml"])
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(INFRA / request.param)


@pytest.fixture(scope="module")
def network() -> dict[str, Any]:
    return {name: item["Properties"] for name, item in read(INFRA / "network.yaml")["Resources"].items()}


@pytest.fixture(scope="module")
def fleet() -> dict[str, Any]:
    return {name: item["Properties"] for name, item in read(INFRA / "runner_fleet.yaml")["Resources"].items()}


def test_cfn_lint_finds_nothing(template: dict[str, Any]) -> None:
    assert [str(match) for match in lint(json.dumps(template))] == []


def test_no_resource_depends_on_itself(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    graph = {name: set(references(resource)) & resources.keys() for name, resource in resources.items()}
    TopologicalSorter(graph).prepare()


def test_no_role_has_a_wildcard_action_nor_a_right_outside_its_own_things() -> None:
    found = list(statements(read(INFRA / "runner_fleet.yaml")))
    assert len(found) == 7
    for name, statement in found:
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action], name
        if statement["Resource"] == "*":
            assert set(statement["Action"]) <= WITHOUT_RESOURCE, name
        assert not [action for action in statement["Action"] if action.startswith(("dynamodb", "iam", "sts"))]


def test_a_runner_has_the_policy_of_the_stage_and_nothing_else(fleet: dict[str, Any]) -> None:
    role = fleet["RunnerRole"]
    assert role.keys() == {"AssumeRolePolicyDocument", "ManagedPolicyArns"}
    assert role["ManagedPolicyArns"] == [{"Ref": "RunnerPolicyArn"}]
    assert fleet["Runner"]["TaskRoleArn"] == {"Fn::GetAtt": ["RunnerRole", "Arn"]}
    # The agent's roles read no queue and no bucket.
    services = {
        action.partition(":")[0]
        for _, statement in statements(read(INFRA / "runner_fleet.yaml"))
        for action in statement["Action"]
    }
    assert services == {"ecs", "ecr", "logs", "ssm"}


def test_a_host_gives_its_role_to_nobody(fleet: dict[str, Any]) -> None:
    data = fleet["Host"]["LaunchTemplateData"]
    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    script = data["UserData"]["Fn::Base64"]["Fn::Sub"]
    for line in ("ECS_AWSVPC_BLOCK_IMDS=true", "ECS_DISABLE_PRIVILEGED=true", "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true"):
        assert f"{line}\n" in script
    assert fleet["Runner"]["NetworkMode"] == "awsvpc"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert "KeyName" not in data
    assert "SecurityGroupIngress" not in fleet["HostGroup"]


def test_a_runner_has_the_privileges_of_the_documented_container(fleet: dict[str, Any]) -> None:
    compose = read(INFRA / "runner" / "compose.yaml")["services"]["runner"]
    (container,) = fleet["Runner"]["ContainerDefinitions"]
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": compose["cap_drop"], "Add": compose["cap_add"]}
    assert (container["User"], container["ReadonlyRootFilesystem"]) == (compose["user"], compose["read_only"])
    assert [mount["ContainerPath"] for mount in container["LinuxParameters"]["Tmpfs"]] == compose["tmpfs"]
    assert container["DockerSecurityOptions"] == ["no-new-privileges"]
    assert container["StopTimeout"] == int(compose["stop_grace_period"].removesuffix("s"))
    assert "Privileged" not in container
    assert "default-cgroupns-mode" in fleet["Host"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]


def test_a_host_on_spot_is_drained_and_a_lost_one_replaced(fleet: dict[str, Any]) -> None:
    provider = fleet["Capacity"]["AutoScalingGroupProvider"]
    assert (provider["ManagedDraining"], provider["ManagedTerminationProtection"]) == ("ENABLED", "ENABLED")
    assert fleet["Hosts"]["NewInstancesProtectedFromScaleIn"] is True  # else the protection above is refused
    assert fleet["Hosts"]["CapacityRebalance"] is True
    arm, intel = fleet["Hosts"]["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]["Fn::If"][1:]
    assert len(arm) == len(intel) == 4  # four pools of spot hosts, all with four CPUs
    assert {item["InstanceType"].partition(".")[2] for item in arm + intel} == {"xlarge"}
    assert all(item["InstanceType"].partition(".")[0].endswith("g") for item in arm)
    assert not [item for item in intel if item["InstanceType"].partition(".")[0].endswith("g")]


def test_a_deployment_can_replace_even_a_single_runner(fleet: dict[str, Any]) -> None:
    configuration = fleet["Runners"]["DeploymentConfiguration"]
    # ECS refuses the balance of zones at 100 %, and rounds the healthy part up: one of one must stay.
    assert fleet["Runners"]["AvailabilityZoneRebalancing"] == "ENABLED"
    assert (configuration["MinimumHealthyPercent"], configuration["MaximumPercent"]) == (50, 200)
    parameters = read(INFRA / "runner_fleet.yaml")["Parameters"]
    assert parameters["Ceiling"]["MinValue"] == 2  # a host for the new one
    assert "DesiredCount" not in fleet["Runners"]  # an update must not undo the scaling


def test_only_submit_reaches_the_load_balancer_and_only_it_the_runners(fleet: dict[str, Any]) -> None:
    (submit,) = fleet["BalancerGroup"]["SecurityGroupIngress"]
    assert (submit["SourceSecurityGroupId"], submit["FromPort"]) == ({"Ref": "SubmitGroupId"}, 443)
    assert fleet["BalancerToRunners"]["SourceSecurityGroupId"] == {"Ref": "BalancerGroup"}
    assert "SecurityGroupIngress" not in fleet["RunnerGroup"]
    assert fleet["Balancer"]["Scheme"] == "internal"
    assert (fleet["Listener"]["Protocol"], fleet["Listener"]["Port"]) == ("HTTPS", 443)


def test_the_direct_path_needs_certificate_caller_and_token() -> None:
    (rule,) = read(INFRA / "runner_fleet.yaml")["Rules"].values()
    needed = {part["Assert"]["Fn::Not"][0]["Fn::Equals"][0]["Ref"] for part in rule["Assertions"]}
    assert needed == {"CertificateArn", "SubmitGroupId", "RunnerTokenParameter"}


def with_condition(name: str, *conditions: str) -> dict[str, Any]:
    """The resources of network.yaml or runner_fleet.yaml that exist under one of these conditions only."""
    return {key: item for key, item in read(INFRA / name)["Resources"].items() if item.get("Condition") in conditions}


def test_the_network_has_no_way_to_the_internet_unless_the_operator_asks_for_one() -> None:
    conditions = ("HasEgress", "HasThirdEgress", "HasFlowLogs", "HasThirdFlowLog")
    resources, egress = read(INFRA / "network.yaml"), with_condition("network.yaml", *conditions)
    assert resources["Parameters"]["Egress"]["Default"] == "false"
    types = {item["Type"] for name, item in resources["Resources"].items() if name not in egress}
    assert types == {
        *("AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::RouteTable", "AWS::EC2::SubnetRouteTableAssociation"),
        *("AWS::EC2::VPCEndpoint", "AWS::EC2::SecurityGroup"),
    }


def test_the_log_of_connections_has_every_subnet_with_a_way_out_and_is_off_by_default() -> None:
    logs = with_condition("network.yaml", "HasFlowLogs", "HasThirdFlowLog")
    flows = [item["Properties"] for item in logs.values() if item["Type"] == "AWS::EC2::FlowLog"]
    assert [flow["ResourceId"]["Ref"] for flow in flows] == [f"{n}EgressSubnet" for n in ("First", "Second", "Third")]
    assert {flow["TrafficType"] for flow in flows} == {"ALL"}
    assert read(INFRA / "network.yaml")["Parameters"]["FlowLogs"]["Default"] == "false"
    (policy,) = logs["FlowLogsRole"]["Properties"]["Policies"]
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html, without the creation of a group
    assert {action for statement in policy["PolicyDocument"]["Statement"] for action in statement["Action"]} == {
        *("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams", "logs:DescribeLogGroups"),
    }


def test_only_the_subnets_of_runs_with_network_have_a_route_out() -> None:
    egress = with_condition("network.yaml", "HasEgress", "HasThirdEgress")
    routes = {name: item["Properties"] for name, item in egress.items() if item["Type"] == "AWS::EC2::Route"}
    assert routes == {
        "PublicRoute": {
            "RouteTableId": {"Ref": "PublicRoutes"},
            "DestinationCidrBlock": "0.0.0.0/0",
            "GatewayId": {"Ref": "Internet"},
        },
        "EgressRoute": {
            "RouteTableId": {"Ref": "EgressRoutes"},
            "DestinationCidrBlock": "0.0.0.0/0",
            "NatGatewayId": {"Ref": "Nat"},
        },
    }
    network = read(INFRA / "network.yaml")
    tables = {
        item["Properties"]["SubnetId"]["Ref"]: item["Properties"]["RouteTableId"]["Ref"]
        for item in network["Resources"].values()
        if item["Type"] == "AWS::EC2::SubnetRouteTableAssociation"
    }
    private = {f"{number}Subnet": "Routes" for number in ("First", "Second", "Third")}
    with_way_out = {f"{number}EgressSubnet": "EgressRoutes" for number in ("First", "Second", "Third")}
    assert tables == private | with_way_out | {"PublicSubnet": "PublicRoutes"}
    assert {*references(network["Outputs"]["SubnetIds"])} & egress.keys() == set()
    assert {*references(network["Outputs"]["EgressSubnetIds"])} >= with_way_out.keys()
    # No runner is in the subnet that the internet reaches, and nothing in it but the gateway.
    users = [item for item in network["Resources"].values() if "PublicSubnet" in references(item)]
    assert {item["Type"] for item in users} == {"AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::NatGateway"}


def test_the_runners_of_runs_with_network_may_use_443_and_the_ports_of_the_operator(fleet: dict[str, Any]) -> None:
    (https,) = fleet["RunnerGroup"]["SecurityGroupEgress"]
    assert (https["FromPort"], https["ToPort"]) == (443, 443)
    ports = with_condition("runner_fleet.yaml", "HasSecondPort", "HasThirdPort", "HasFourthPort")
    for number, name in (("Second", "SecondEgress"), ("Third", "ThirdEgress"), ("Fourth", "FourthEgress")):
        rule = ports[name]["Properties"]
        assert ports[name]["Condition"] == f"Has{number}Port"
        assert rule["GroupId"] == {"Ref": "RunnerGroup"}
        assert rule["FromPort"] == rule["ToPort"] == {"Ref": f"{number}Port"}
    others = [name for name, item in fleet.items() if "SecurityGroupEgress" in item and name not in ports]
    assert sorted(others) == ["BalancerGroup", "HostGroup", "RunnerGroup"]
    conditions = read(INFRA / "runner_fleet.yaml")["Conditions"]
    for number in ("Second", "Third", "Fourth"):  # whatever the operator says, other runners get no port
        assert conditions[f"Has{number}Port"]["Fn::And"][0] == {"Condition": "IsNetworked"}


def test_a_fleet_of_one_queue_scales_with_it_alone(fleet: dict[str, Any]) -> None:
    for alarm in ("LateAlarm", "IdleAlarm"):
        metrics = [item.get("Fn::If", item) for item in fleet[alarm]["Metrics"]]
        of_batch = [item for item in metrics if isinstance(item, list)]
        assert of_batch
        assert {item[0] for item in of_batch} == {"HasBatch"}
        assert all(item[2] == {"Ref": "AWS::NoValue"} for item in of_batch)
        (expression,) = [item["Expression"]["Fn::If"] for item in metrics if "Expression" in item]
        assert "batch" in expression[1]
        assert "batch" not in expression[2]


def test_runs_with_network_have_a_fleet_and_a_place_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    deployed: dict[str, dict[str, str]] = {}
    outputs = {"NetworkId": "vpc", "SubnetIds": "private", "EgressSubnetIds": "egress", "SubmitGroupId": "sg"}
    monkeypatch.setattr(resources_fleet, "ensure_image", lambda *_: "image")
    monkeypatch.setattr(Stack, "outputs", lambda _stack: outputs)
    monkeypatch.setattr(
        resources_fleet, "_deploy", lambda _target, kind, _bucket, values, _progress: deployed.update({kind: values})
    )
    stage = {name: name.lower() for name in (*resources_fleet._OF_STAGE, "NetworkQueueUrl", "NetworkRunnerPolicyArn")}
    given = {
        "Egress": "true",
        "SecondPort": "5432",
        "NetworkFloor": "1",
        "Floor": "2",
        "Ceiling": "9",
        "RunnerDomain": "runners.example.com",
        "CertificateArn": "arn",
    }
    target, progress = Target("dev", "eu-central-1", None), Progress()
    resources_fleet.deploy_runners(target, "bucket", FleetSettings("arm64", "", given), stage, progress)
    others, networked = deployed["fleet"], deployed["netfleet"]
    assert (others["SubnetIds"], others["BatchQueueUrl"], others["Floor"]) == ("private", "batchqueueurl", "2")
    assert others["RunnerDomain"] == "runners.example.com"
    assert {"SecondPort", "Kind"}.isdisjoint(others)
    assert (networked["SubnetIds"], networked["Kind"], networked["SecondPort"]) == ("egress", "network-runner", "5432")
    assert (networked["InteractiveQueueUrl"], networked["BatchQueueUrl"]) == ("networkqueueurl", "")
    policies = others["RunnerPolicyArn"], networked["RunnerPolicyArn"]
    assert policies == ("runnerpolicyarn", "networkrunnerpolicyarn")
    assert (networked["Floor"], networked["Ceiling"]) == ("1", "9")
    assert {"RunnerDomain", "CertificateArn", "RunnerTokenParameter", "Egress"}.isdisjoint(networked)
    declared = read(INFRA / "runner_fleet.yaml")["Parameters"].keys()
    assert others.keys() | networked.keys() <= declared


def test_ports_and_sizes_of_runs_with_network_need_their_fleet() -> None:
    target = Target("dev", "eu-central-1", None)
    for given in ({"SecondPort": "5432"}, {"NetworkFloor": "1", "Egress": "false"}):
        with pytest.raises(DeployError, match="only with Egress=true"):
            resources_fleet.check(target, FleetSettings("arm64", "", given))
    resources_fleet.check(target, FleetSettings("arm64", "", {"Egress": "true", "SecondPort": "5432"}))
    for given in ({"Floor": "many"}, {"Egress": "true", "NetworkFloor": "many"}):
        with pytest.raises(DeployError, match=r"^FLEET: Floor must be a number; got 'many'$"):
            resources_fleet.check(target, FleetSettings("arm64", "", given))


def test_endpoints_that_carry_data_serve_this_account_only(network: dict[str, Any]) -> None:
    endpoints = {name: item for name, item in network.items() if "ServiceName" in item}
    own = {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}
    without_policy = {name for name, item in endpoints.items() if "PolicyDocument" not in item}
    assert without_policy == {"EcsEndpoint", "EcsAgentEndpoint", "EcsTelemetryEndpoint"}
    for name in endpoints.keys() - without_policy:
        for statement in endpoints[name]["PolicyDocument"]["Statement"]:
            assert not [action for action in statement["Action"] if "*" in action]
            if statement.get("Sid") == "LayersOfImages":
                assert statement["Action"] == ["s3:GetObject"]
                continue
            assert own.items() <= statement["Condition"]["StringEquals"].items(), name


def test_every_service_that_a_runner_calls_has_an_endpoint(network: dict[str, Any]) -> None:
    names = [item["ServiceName"]["Fn::Sub"] for item in network.values() if "ServiceName" in item]
    services = {name.rpartition("}.")[2] for name in names}
    resources = read(INFRA.parent / "template.yaml")["Resources"]
    policies = {name: resources[name] for name in ("RunnerPolicy", "NetworkRunnerPolicy")}
    called = {
        action.partition(":")[0]
        for _, statement in statements({"Resources": policies})
        for action in statement["Action"]
    }
    assert called == {"sqs", "s3", "kms"}
    of_the_agent = {"logs", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry"}
    of_submit = {"ssm", "dynamodb"}
    assert services == called | of_the_agent | of_submit


def test_the_endpoints_allow_the_actions_of_the_runner_and_submit_roles(network: dict[str, Any]) -> None:
    allowed = {
        action
        for item in network.values()
        for statement in item.get("PolicyDocument", {}).get("Statement", ())
        for action in statement["Action"]
    }
    stage = translate(
        read(INFRA.parent / "template.yaml"),
        {"RunnerTokenParameter": "/rustbox/dev/runner-token"},
        "s3://code/functions.zip",
    )
    needed = {
        action
        for name, statement in statements(stage)
        if name
        in {"RunnerPolicy", "NetworkRunnerPolicy", "SubmitFunctionRole", "JudgeFunctionRole", "DialectsFunctionRole"}
        and statement["Effect"] == "Allow"
        and "ViaService" not in str(statement)  # services call KMS in the name of the function
        for action in statement["Action"]
        if not action.startswith(("ec2:", "logs:", "xray:"))  # Lambda itself calls these, not the function
    }
    assert {"sqs:ReceiveMessage", "ssm:GetParameter", "kms:Encrypt", "dynamodb:PutItem"} <= needed
    assert needed <= allowed


def test_outputs_of_the_network_and_of_the_stage_are_the_parameters_of_the_fleet() -> None:
    parameters = read(INFRA / "runner_fleet.yaml")["Parameters"].keys()
    outputs = read(INFRA / "network.yaml")["Outputs"].keys()
    assert outputs - {"EgressSubnetIds", "EgressAddress"} <= parameters
    stage = read(INFRA.parent / "template.yaml")["Outputs"].keys()
    needed = {"RunnerPolicyArn", "InteractiveQueueUrl", "BatchQueueUrl", "CompletionsQueueUrl", "PayloadsBucketName"}
    assert needed | {"SubmissionVisibilitySecs"} <= stage & parameters
    assert {"NetworkQueueUrl", "NetworkRunnerPolicyArn"} <= stage
