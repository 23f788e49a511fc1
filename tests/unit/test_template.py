"""The template with default parameters, as CloudFormation gets it."""

import json
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from functions.event_log.bus import SOURCE
from functions.webhooks.vocabulary import ALERT_EVENTS, EVENT_BLOCKED
from infra.sam_template import TemplateInvalidError, parameter_values, read, translate, wrong_values
from tests.template_policies import references, statements

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
NETWORK_INTERFACES = {
    *(f"ec2:{verb}NetworkInterface" for verb in ("Create", "Delete")),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    *("ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
}


@pytest.fixture(scope="module")
def deployed() -> dict[str, Any]:
    return translate(read(TEMPLATE), {}, "s3://code/functions.zip")


def _check_cycles(template: dict[str, Any]) -> None:
    """Raise CycleError if a resource depends on itself."""
    resources = template["Resources"]
    graph = {name: set(references(resource)) & resources.keys() for name, resource in resources.items()}
    assert "Api" in graph["EndpointsFunction"]
    assert "EndpointsFunctionAliaslive" in graph["EndpointsIntegration"]
    TopologicalSorter(graph).prepare()


def test_no_resource_depends_on_itself(deployed: dict[str, Any]) -> None:
    _check_cycles(deployed)


def test_an_api_that_depends_on_its_functions_is_found(deployed: dict[str, Any]) -> None:
    cyclic = json.loads(json.dumps(deployed))
    cyclic["Resources"]["Api"]["Properties"]["Description"] = {"Ref": "EndpointsFunction"}
    with pytest.raises(CycleError):
        _check_cycles(cyclic)


def test_no_policy_allows_a_wildcard_action_or_every_resource(deployed: dict[str, Any]) -> None:
    found = list(statements(deployed))
    assert len(found) > 40
    of_every_resource = set()
    for name, statement in found:
        if statement["Effect"] == "Deny":
            continue
        assert not [action for action in statement["Action"] if "*" in action], name
        if "*" in statement["Resource"]:
            of_every_resource |= set(statement["Action"])
    # AWS has no resource to name for these, or it does not exist yet.
    nameless = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "cloudwatch:DescribeAlarms"}
    assert of_every_resource == nameless | NETWORK_INTERFACES


def test_no_role_has_a_managed_policy_and_each_function_has_a_role_of_its_own(deployed: dict[str, Any]) -> None:
    """A managed policy of AWS is for all queues, streams and log groups of the account."""
    roles = {name: item["Properties"] for name, item in deployed["Resources"].items() if item["Type"].endswith("Role")}
    assert len(roles) == 18
    assert [name for name, role in roles.items() if "ManagedPolicyArns" in role] == []
    functions = {n: i["Properties"] for n, i in deployed["Resources"].items() if i["Type"] == "AWS::Lambda::Function"}
    for name, function in functions.items():
        assert function["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
        (principal,) = roles[f"{name}Role"]["AssumeRolePolicyDocument"]["Statement"]
        assert principal["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_a_function_receives_only_from_the_queues_of_its_mappings(deployed: dict[str, Any]) -> None:
    dead = {f"{name}DeadLetters" for name in ("Interactive", "Batch", "Network", "Completions", "Deliveries")}
    received = {
        "RecordFunction": {"CompletionsQueue"},
        "WebhookFunction": {"DeliveriesQueue"},
        "ScheduleFunction": {"ChecksQueue"},
        "SweepFunction": dead,
    }
    mapped: dict[str, set[str]] = {}
    for name, item in deployed["Resources"].items():
        if item["Type"] == "AWS::Lambda::EventSourceMapping":
            source, attribute = item["Properties"]["EventSourceArn"]["Fn::GetAtt"]
            function = item["Properties"]["FunctionName"]["Ref"].removesuffix("Aliaslive")
            assert name.startswith(function)  # as SAM names it: another name conflicts in a deployed stack
            assert attribute == ("StreamArn" if function == "AnnounceFunction" else "Arn")
            mapped.setdefault(function, set()).add(source)
    assert mapped == received | {"AnnounceFunction": {"SubmissionsTable"}}

    others = {
        "OperateFunctionRole": {*dead, "ChecksDeadLetters"},  # it sends dead letters again
        "RunnerPolicy": {"InteractiveQueue", "BatchQueue"},
        "NetworkRunnerPolicy": {"NetworkQueue"},
    }
    expected = {f"{function}Role": queues for function, queues in received.items()} | others
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage"):
        assert resources_of(deployed, action) == expected
    for action in ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"):
        assert [name for name, _ in granting(deployed, action)] == ["AnnounceFunctionRole"]
        ((_, statement),) = granting(deployed, action)
        assert statement["Resource"] == [{"Fn::GetAtt": ["SubmissionsTable", "StreamArn"]}]


def test_the_stream_gives_up_a_batch_before_its_records_are_gone(deployed: dict[str, Any]) -> None:
    mapping = deployed["Resources"]["AnnounceFunctionChanges"]["Properties"]
    assert 3_600 <= mapping["MaximumRecordAgeInSeconds"] <= 43_200
    assert mapping["MaximumRetryAttempts"] == 10_000  # the age decides: an outage of the bus is no wrong record
    queue = {"Fn::GetAtt": ["AnnounceDeadLetters", "Arn"]}
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": queue}}
    sends = [item["Resource"] for name, item in granting(deployed, "sqs:SendMessage") if name == "AnnounceFunctionRole"]
    assert any(queue in resource for resource in sends)


def test_a_function_writes_to_its_log_group_and_traces_only_with_x_ray(deployed: dict[str, Any]) -> None:
    for name, item in deployed["Resources"].items():
        if item["Type"] == "AWS::Lambda::Function":
            group = item["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
            for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
                assert resources_of(deployed, action)[f"{name}Role"] == {group}
            (policy,) = deployed["Resources"][f"{name}Role"]["Properties"]["Policies"]
            conditional = [part["Fn::If"] for part in policy["PolicyDocument"]["Statement"] if "Fn::If" in part]
            traces = [part for part in conditional if "xray:PutTraceSegments" in part[1]["Action"]]
            assert [(part[0], part[2]) for part in traces] == [("HasXRay", {"Ref": "AWS::NoValue"})]
    assert len(list(granting(deployed, "xray:PutTraceSegments"))) == 15


def test_the_rights_of_each_role_are_within_the_limit_of_iam(deployed: dict[str, Any]) -> None:
    for name, item in deployed["Resources"].items():
        if item["Type"] == "AWS::IAM::Role":
            text = json.dumps([policy["PolicyDocument"] for policy in item["Properties"]["Policies"]])
            # 10,240 characters without spaces. Names of resources are up to 60 characters longer than here.
            assert len(re.sub(r"\s", "", text)) + 60 * text.count("Fn::") < 10_240, name


def test_only_the_account_has_every_permission_on_the_key(deployed: dict[str, Any]) -> None:
    (statement,) = deployed["Resources"]["EndpointSecretsKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}


def test_only_the_senders_of_webhooks_can_open_the_token_of_a_report(deployed: dict[str, Any]) -> None:
    may_open = set()
    for name, statement in statements(deployed):
        conditions = statement.get("Condition", {}).get("StringEquals", {})
        purpose = conditions.get("kms:EncryptionContext:purpose", "report")
        is_of_secrets = "DataKeyArn" not in references(statement["Resource"])
        if "kms:Decrypt" in statement["Action"] and "report" in purpose and is_of_secrets:
            may_open.add(name)
    assert may_open == {"WebhookFunctionRole", "EndpointsFunctionRole"}


@pytest.mark.parametrize(
    ("policy", "submissions", "read"),
    [
        ("RunnerPolicy", ["BatchQueue", "InteractiveQueue"], ["judge-inputs", "files", "deleted", "control"]),
        ("NetworkRunnerPolicy", ["NetworkQueue"], ["files", "deleted", "control"]),
    ],
)
def test_runner_may_use_its_queues_write_outputs_and_read_cases_and_nothing_else(
    deployed: dict[str, Any], policy: str, submissions: list[str], read: list[str]
) -> None:
    of_services = {"Ref": "DataKeyArn"}  # SQS and S3 use it, see above
    own = [item for name, item in statements(deployed) if name == policy and item["Resource"] != [of_services]]
    allowed = {
        action: sorted(set(references(statement["Resource"]))) for statement in own for action in statement["Action"]
    }
    (reading,) = [statement["Resource"] for statement in own if statement["Action"] == ["s3:GetObject"]]
    assert [place["Fn::Sub"] for place in reading] == [f"${{PayloadsBucket.Arn}}/{folder}/*" for folder in read]
    assert allowed == {
        "sqs:ReceiveMessage": submissions,
        "sqs:DeleteMessage": submissions,
        "sqs:ChangeMessageVisibility": submissions,
        "sqs:SendMessage": ["CompletionsQueue"],
        "s3:PutObject": ["PayloadsBucket"],
        "s3:GetObject": ["PayloadsBucket"],
        **({"kms:Decrypt": ["EndpointSecretsKey"]} if policy == "NetworkRunnerPolicy" else {}),
    }
    opening = [statement for statement in own if statement["Action"] == ["kms:Decrypt"]]
    purposes = [statement["Condition"] for statement in opening]
    assert purposes == [{"StringEquals": {"kms:EncryptionContext:purpose": "network"}}] * len(opening)


def test_only_the_rule_may_send_events_to_the_queue_of_checks(deployed: dict[str, Any]) -> None:
    statement, _ = deployed["Resources"]["CheckRequestedPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["sqs:SendMessage"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert sorted(set(references(statement["Resource"]))) == ["ChecksDeadLetters", "ChecksQueue"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["CheckRequestedRule", "Arn"]}}}


def test_queues_topic_and_bucket_refuse_requests_without_tls(deployed: dict[str, Any]) -> None:
    refused: list[str] = []
    for item in deployed["Resources"].values():
        if item["Type"] in {"AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"}:
            statements_ = item["Properties"]["PolicyDocument"]["Statement"]
            (tls,) = [statement for statement in statements_ if statement["Effect"] == "Deny"]
            assert (tls["Principal"], tls["Condition"]) == ("*", {"Bool": {"aws:SecureTransport": "false"}})
            assert tls["Action"] in {"sqs:*", "sns:Publish", "s3:*"}
            named = (
                item["Properties"].get("Queues") or item["Properties"].get("Topics") or [item["Properties"]["Bucket"]]
            )
            assert set(references(named)) == set(references(tls["Resource"]))
            refused += references(named)
    types = {"AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::S3::Bucket"}
    # A queue has one policy: a second resource would replace the first one's.
    assert sorted(refused) == sorted(name for name, item in deployed["Resources"].items() if item["Type"] in types)


def test_a_key_of_the_customer_encrypts_all_data_and_everybody_may_use_it_through_the_services_only(
    deployed: dict[str, Any],
) -> None:
    key, of_aws = {"Ref": "DataKeyArn"}, {"Ref": "AWS::NoValue"}
    places = {
        "AWS::DynamoDB::Table": lambda item: item["SSESpecification"]["KMSMasterKeyId"],
        "AWS::SQS::Queue": lambda item: item["KmsMasterKeyId"],
        "AWS::Logs::LogGroup": lambda item: item["KmsKeyId"],
        "AWS::SNS::Topic": lambda item: item["KmsMasterKeyId"],
        "AWS::Lambda::Function": lambda item: item["KmsKeyArn"],
    }
    for name, item in deployed["Resources"].items():
        if item["Type"] in places:
            assert places[item["Type"]](item["Properties"]) == {"Fn::If": ["HasDataKey", key, of_aws]}, name
    (bucket,) = deployed["Resources"]["PayloadsBucket"]["Properties"]["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    with_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert bucket["ServerSideEncryptionByDefault"] == {"Fn::If": ["HasDataKey", with_key, {"SSEAlgorithm": "AES256"}]}
    users = {n for n, item in deployed["Resources"].items() if item["Type"] == "AWS::Lambda::Function"}
    allowed = [(n, item) for n, item in statements(deployed) if "DataKeyArn" in set(references(item["Resource"]))]
    assert sorted(name for name, _ in allowed) == sorted(
        [*(f"{n}Role" for n in users), "NetworkRunnerPolicy", "RunnerPolicy"]
    )
    for _, statement in allowed:
        assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
        services = {
            place["Fn::Sub"].partition(".")[0] for place in statement["Condition"]["StringLike"]["kms:ViaService"]
        }
        assert services == {"dynamodb", "sqs", "s3", "lambda"}


def test_who_sends_to_the_deliveries_queue_also_writes_its_table(deployed: dict[str, Any]) -> None:
    """`deliver` sends what a fresh hint says: a role must not gain by a forged one."""
    senders, writers = granted(deployed, "sqs:SendMessage", "DeliveriesQueue"), set[str]()
    for action in ("dynamodb:PutItem", "dynamodb:UpdateItem"):
        writers |= granted(deployed, action, "DeliveriesTable")
    assert len(senders) > 5
    assert senders - writers == set()


def granting(deployed: dict[str, Any], action: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the roles that allow an action, with the statements that do."""
    allowed = [found for found in statements(deployed) if found[1]["Effect"] == "Allow"]
    return [(name, statement) for name, statement in allowed if action in statement["Action"]]


def resources_of(deployed: dict[str, Any], action: str) -> dict[str, set[str]]:
    """Return the resources on which each role allows an action."""
    found: dict[str, set[str]] = {}
    for name, statement in granting(deployed, action):
        found.setdefault(name, set()).update(references(statement["Resource"]))
    return found


def granted(deployed: dict[str, Any], action: str, resource: str) -> set[str]:
    """Return the roles that have a permission on a resource."""
    return {name for name, resources in resources_of(deployed, action).items() if resource in resources}


def test_alerts_reach_an_e_mail_address_only_by_the_rule_and_only_if_there_is_one(deployed: dict[str, Any]) -> None:
    names = ("AlertTopic", "AlertSubscription", "AlertRule", "AlertTopicPolicy")
    assert {deployed["Resources"][name]["Condition"] for name in names} == {"HasAlertEmail"}
    rule = deployed["Resources"]["AlertRule"]["Properties"]
    assert set(rule["EventPattern"]["detail-type"]) == ALERT_EVENTS - {EVENT_BLOCKED}
    assert rule["EventPattern"]["source"] == [SOURCE]
    statement, _ = deployed["Resources"]["AlertTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == (["sns:Publish"], [{"Ref": "AlertTopic"}])
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["AlertRule", "Arn"]}}}
    (target,) = rule["Targets"]
    transformer = target["InputTransformer"]
    assert set(re.findall("<(\\w+)>", transformer["InputTemplate"])) == transformer["InputPathsMap"].keys()


def test_an_e_mail_address_without_the_bus_is_refused(deployed: dict[str, Any]) -> None:
    rule = deployed["Rules"]["AlertsComeFromTheBus"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "UseEventBus"}, "false"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "AlertEmail"}, ""]}


def test_only_the_api_may_call_the_functions_of_its_routes(deployed: dict[str, Any]) -> None:
    permissions = [item["Properties"] for item in deployed["Resources"].values() if item["Type"].endswith("Permission")]
    assert len(permissions) == 9
    assert {permission["Principal"] for permission in permissions} == {"apigateway.amazonaws.com"}
    assert {permission["SourceArn"]["Fn::Sub"].rpartition(":")[2] for permission in permissions} == {"${Api}/*"}


def test_functions_that_write_events_are_updated_after_the_one_that_reads_them(deployed: dict[str, Any]) -> None:
    """A stage without aliases calls the newest code. A sender takes an event that it cannot read for a deleted one."""
    for writer in ("SubmitFunction", "DialectsFunction", "RecordFunction", "EndpointsFunction", "SweepFunction"):
        assert deployed["Resources"][writer]["DependsOn"] == "WebhookFunction"
    assert set(deployed["Resources"]["JudgeFunction"]["DependsOn"]) >= {
        "EventsFunction",
        "RecordFunction",
        "ResultFunction",
        "SweepFunction",
    }
    for writer in ("AnnounceFunction", "ChecksFunction"):  # messages about checks
        assert deployed["Resources"][writer]["DependsOn"] == "ScheduleFunction"


def test_everything_that_calls_a_function_calls_its_alias(deployed: dict[str, Any]) -> None:
    """A release moves aliases: a caller of the function itself would meet a version that nothing has tried."""
    aliases = {n: i["Properties"] for n, i in deployed["Resources"].items() if i["Type"] == "AWS::Lambda::Alias"}
    called = set()
    for item in deployed["Resources"].values():
        properties = item.get("Properties", {})
        match item["Type"]:
            case "AWS::ApiGatewayV2::Integration":
                called.add(properties["IntegrationUri"]["Ref"])
            case "AWS::Lambda::EventSourceMapping" | "AWS::Lambda::Permission":
                called.add(properties["FunctionName"]["Ref"])
            case "AWS::Scheduler::Schedule":
                called.add(properties["Target"]["Arn"]["Ref"])
    assert called == aliases.keys() - {"ReleaseFunctionAliaslive"}
    assert {alias["Name"] for alias in aliases.values()} == {"live"}


def test_a_version_gets_traffic_after_a_call_of_the_new_zip_and_goes_back_on_an_alarm(deployed: dict[str, Any]) -> None:
    resources = deployed["Resources"]
    graph = {name: set(references(resource)) & resources.keys() for name, resource in resources.items()}
    order = [*TopologicalSorter(graph).static_order()]
    for name, item in resources.items():
        if item["Type"] == "AWS::Lambda::Alias" and name != "ReleaseFunctionAliaslive":
            policy = item["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
            assert policy["BeforeAllowTrafficHook"] == {"Ref": "ReleaseFunction"}
            # A reference of an update policy may be no dependency to CloudFormation: the function has one.
            function = item["Properties"]["FunctionName"]["Ref"]
            assert "ReleaseFunction" in _all_below(graph, function), function
            assert order.index("ReleaseFunction") < order.index(function)
            group = resources[policy["DeploymentGroupName"]["Ref"]]["Properties"]
            assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
            condition, with_alarms, without = group["AlarmConfiguration"]["Fn::If"]
            names = [alarm["Name"]["Ref"] for alarm in with_alarms["Alarms"]]
            assert (condition, names) == ("HasReleaseAlarms", ["ServerErrorsAlarm", "ReleaseErrorsAlarm"])
            assert without == {}  # an alarm that is on stops no repair
            assert group["DeploymentConfigName"] == deployed["Parameters"]["Rollout"]["Default"]
    assert deployed["Parameters"]["Rollout"]["Default"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert deployed["Parameters"]["ReleaseAlarms"]["Default"] == "true"


def _all_below(graph: dict[str, set[str]], name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        waiting += (new := graph[waiting.pop()] - found)
        found |= new
    return found


def test_another_name_of_a_release_changes_every_function_and_version(deployed: dict[str, Any]) -> None:
    """Lambda publishes no version of an unchanged function; an unchanged version keeps the old variables."""
    for item in deployed["Resources"].values():
        if item["Type"] in {"AWS::Lambda::Function", "AWS::Lambda::Version"}:
            assert item["Properties"]["Description"] == {"Ref": "Release"}


def test_sam_has_no_question_to_ask_about_authentication() -> None:
    events = [
        event["Type"]
        for resource in read(TEMPLATE)["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
    ]
    assert events
    assert not {"Api", "HttpApi"} & set(events)  # SAM asks for each of these


def test_tables_whose_data_is_kept_have_backups_and_the_others_have_none(deployed: dict[str, Any]) -> None:
    tables = {name: item for name, item in deployed["Resources"].items() if item["Type"] == "AWS::DynamoDB::Table"}
    kept = {name for name, item in tables.items() if item["DeletionPolicy"] == "Retain"}
    backed_up = {
        name: item["Properties"]["PointInTimeRecoverySpecification"]
        for name, item in tables.items()
        if "PointInTimeRecoverySpecification" in item["Properties"]
    }
    assert backed_up.keys() == kept == {"ProjectsTable", "SubmissionsTable", "DeliveriesTable", "ChecksTable"}
    for specification in backed_up.values():
        assert specification == {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": {"Ref": "BackupDays"}}


def test_contract_and_deployment_page_name_the_default_days_of_backups(deployed: dict[str, Any]) -> None:
    days = deployed["Parameters"]["BackupDays"]["Default"]
    contract, deploy = ((TEMPLATE.parent / "docs" / name).read_text() for name in ("contract.md", "deploy.md"))
    assert f"Backups of the tables reach back {days} days by default (`BackupDays`)" in contract
    assert f"1 to {days} (default); deleted submissions stay" in deploy


def test_unknown_parameter_is_refused() -> None:
    with pytest.raises(TemplateInvalidError, match=r"Nonsense.*Stage"):
        translate(read(TEMPLATE), {"Nonsense": "1"}, "s3://code/functions.zip")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"RetentionDays": "0"}, "RetentionDays must be at least 1 and at most 365; got '0'"),
        ({"RetentionDays": "366"}, "RetentionDays must be at least 1 and at most 365; got '366'"),
        ({"MaxQueueDepth": "0"}, "MaxQueueDepth must be at least 1; got '0'"),
        ({"MaxQueueDepth": "1e3"}, "MaxQueueDepth must be a number; got '1e3'"),
        ({"DueShards": "17"}, "DueShards must be one of 16, 32, 64, 128, 256; got '17'"),
        ({"UseXRay": "True"}, "UseXRay must be one of true, false; got 'True'"),
        ({"Stage": "Dev"}, "Stage must be text of the form .*; got 'Dev'"),
        ({"RunnerUrl": "https://a b", "WebhookSenders": "3"}, "RunnerUrl must .*; WebhookSenders must be at least 4"),
        ({"AlertEmail": "a@b.example", "UseEventBus": "false"}, "AlertEmail needs UseEventBus=true."),
        ({"Stage": "dev", "AllowInsecureWebhookTargets": "true"}, "is for the local stage only"),
    ],
)
def test_values_that_cloudformation_would_refuse_are_refused_first(parameters: dict[str, str], problem: str) -> None:
    with pytest.raises(TemplateInvalidError, match=problem):
        parameter_values(read(TEMPLATE), parameters)


def test_a_refused_secret_is_not_shown() -> None:
    declared = {"Parameters": {"Key": {"Type": "String", "AllowedPattern": "[a-z]+", "NoEcho": True}}}
    with pytest.raises(TemplateInvalidError) as refused:
        parameter_values(declared, {"Key": "SECRET"})
    assert str(refused.value) == "Key must be text of the form [a-z]+"


@pytest.mark.parametrize("name", ["template.yaml", "infra/network.yaml", "infra/runner_fleet.yaml"])
def test_every_default_is_a_value_that_its_declaration_takes(name: str) -> None:
    document = read(TEMPLATE.parent / name)
    defaults = {key: str(each["Default"]) for key, each in document["Parameters"].items() if "Default" in each}
    assert wrong_values(document, defaults) == []


def test_the_access_log_has_the_route_of_a_request_and_never_its_path(deployed: dict[str, Any]) -> None:
    """The paths of pings, badges and clients without headers have secrets."""
    logged = json.loads(deployed["Resources"]["ApiStage"]["Properties"]["AccessLogSettings"]["Format"])
    names = ("requestId", "httpMethod", "routeKey", "status", "responseLatency")
    assert sorted(logged.values()) == sorted(f"$context.{name}" for name in names)


def test_functions_run_on_the_given_architecture() -> None:
    translated = translate(read(TEMPLATE), {"Architecture": "x86_64"}, "s3://code/functions.zip")
    found = [
        item["Properties"]["Architectures"]
        for item in translated["Resources"].values()
        if item["Type"] == "AWS::Lambda::Function"
    ]
    assert found
    assert all(value in (["x86_64"], [{"Ref": "Architecture"}]) for value in found)


def test_every_alarm_has_an_entry_in_the_runbook_that_starts_with_a_command(deployed: dict[str, Any]) -> None:
    runbook = (TEMPLATE.parent / "docs" / "runbook.md").read_text()
    entries = dict(re.findall(r"^## (\w+)\n\n(```text\n\w.*\n)", runbook, re.MULTILINE))
    alarms = {
        name: item["Properties"]
        for name, item in deployed["Resources"].items()
        if item["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert len(alarms) > 10
    assert entries.keys() == alarms.keys()
    for name, properties in alarms.items():
        assert properties["AlarmDescription"].endswith(f"docs/runbook.md#{name.lower()}")
        assert properties["AlarmActions"] == {
            "Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
        }


def test_dashboard_is_json_that_refers_to_resources_of_the_template(deployed: dict[str, Any]) -> None:
    text, variables = deployed["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    names = set(re.findall(r"\$\{(\w+)[.}]", text))
    assert names - {"Stage"} - variables.keys() <= deployed["Resources"].keys()
    widgets = json.loads(text)["widgets"]
    assert len(widgets) == len({(widget["x"], widget["y"]) for widget in widgets}) == 12


def test_the_dashboard_shows_every_function_and_queue(deployed: dict[str, Any]) -> None:
    def named(kind: str) -> set[str]:
        return {name for name, item in deployed["Resources"].items() if item["Type"] == kind}

    text, variables = deployed["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    # AnnounceFunction has a condition, so its name is a variable.
    assert variables == {"Announce": {"Fn::If": ["HasEventBus", {"Ref": "AnnounceFunction"}, "without event bus"]}}
    shown: dict[str, set[str]] = {}
    for widget in json.loads(text)["widgets"]:
        metrics = str(widget["properties"]["metrics"]).replace("${Announce}", "${AnnounceFunction}")
        shown[widget["properties"]["title"]] = set(re.findall(r"\$\{(\w+)[.}]", metrics))
    for title in ("Function errors", "Concurrent invocations", "Function duration p95, ms"):
        assert shown[title] == named("AWS::Lambda::Function"), title
    queues = named("AWS::SQS::Queue")
    dead = {name for name in queues if name.endswith("DeadLetters")}
    assert shown["Dead letters"] == dead
    for title in ("Oldest message, s", "Waiting messages", "Running and reserved messages"):
        assert shown[title] == queues - dead, title


def _metrics_of(deployed: dict[str, Any], alarm: str) -> list[dict[str, Any]]:
    """Return the metrics of an alarm over several, those with a condition too. CloudWatch allows ten."""
    queries = [query.get("Fn::If", [None, query])[1] for query in deployed["Resources"][alarm]["Properties"]["Metrics"]]
    found = [query["MetricStat"]["Metric"] for query in queries if "MetricStat" in query]
    assert 0 < len(found) <= 10
    assert [query.get("ReturnData") for query in queries].count(False) == len(found) == len(queries) - 1
    return found


def test_the_alarm_of_throttles_has_the_functions_that_no_limit_of_ours_throttles(deployed: dict[str, Any]) -> None:
    functions = {
        name: item["Properties"]
        for name, item in deployed["Resources"].items()
        if item["Type"] == "AWS::Lambda::Function"
    }
    limited = {
        name
        for name, item in functions.items()
        if item.get("ReservedConcurrentExecutions", {}).get("Fn::If", [""])[0] == "LimitsWaiting"
    }
    assert limited == {f"{name}Function" for name in ("Submit", "Judge", "Dialects", "Result", "Events")}
    metrics = _metrics_of(deployed, "ThrottlesAlarm")
    assert {(metric["Namespace"], metric["MetricName"]) for metric in metrics} == {("AWS/Lambda", "Throttles")}
    # CodeDeploy calls ReleaseFunction, and tells when it cannot.
    assert {name for metric in metrics for name in references(metric)} == functions.keys() - limited - {
        "ReleaseFunction"
    }


def test_alarms_watch_throttled_reads_and_writes_of_every_table_and_index(deployed: dict[str, Any]) -> None:
    expected = set()
    for name, item in deployed["Resources"].items():
        if item["Type"] == "AWS::DynamoDB::Table":
            expected |= {(name, "", "ReadThrottleEvents"), (name, "", "WriteThrottleEvents")}
            for index in item["Properties"].get("GlobalSecondaryIndexes", []):
                expected.add((name, index["IndexName"], "WriteThrottleEvents"))
    # It gets no new rows, and an alarm has ten metrics at most.
    expected.remove(("DeliveriesTable", "by_project", "WriteThrottleEvents"))
    watched = []
    for alarm in ("SubmissionThrottlesAlarm", "DeliveryThrottlesAlarm"):
        for metric in _metrics_of(deployed, alarm):
            values = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
            index = values.get("GlobalSecondaryIndexName", "")
            watched.append((values["TableName"]["Ref"], index, metric["MetricName"]))
    assert sorted(watched) == sorted(expected)


def test_own_metrics_of_alarms_are_those_that_the_functions_write_for_their_stage(deployed: dict[str, Any]) -> None:
    namespace = {"Fn::Sub": "Rustbox/${Stage}"}
    alarms = [item["Properties"] for item in deployed["Resources"].values() if item["Type"] == "AWS::CloudWatch::Alarm"]
    own = {alarm["MetricName"] for alarm in alarms if alarm.get("Namespace") == namespace}
    assert own == {"OldestDueAge", "DeliveryExhausted", "EventSkipped", "OldestCheckAge", "RunnerUnable"}
    sources = "".join(path.read_text() for path in (TEMPLATE.parent / "functions").rglob("*.py"))
    assert all(f'"{metric}"' in sources for metric in own)
    for item in deployed["Resources"].values():
        if item["Type"] == "AWS::Lambda::Function":
            assert item["Properties"]["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == namespace


def test_callers_of_others_run_in_a_network_only_when_asked_and_their_code_never_touches_interfaces(
    deployed: dict[str, Any],
) -> None:
    runners, receivers = ("RunsInNetwork", "Submit"), ("SendsFromNetwork", "Delivery")
    callers = {
        "SubmitFunction": runners,
        "JudgeFunction": runners,
        "DialectsFunction": runners,
        "ResultFunction": runners,
        "WebhookFunction": receivers,
        "EndpointsFunction": receivers,
    }
    for name, (condition, prefix) in callers.items():
        parameters = {field: {"Ref": f"{prefix}{field}"} for field in ("SubnetIds", "SecurityGroupIds")}
        vpc = deployed["Resources"][name]["Properties"]["VpcConfig"]["Fn::If"]
        assert vpc == [condition, parameters, {"Ref": "AWS::NoValue"}]
        (policy,) = deployed["Resources"][f"{name}Role"]["Properties"]["Policies"]
        parts = policy["PolicyDocument"]["Statement"]
        allowed = [part["Fn::If"] for part in parts if "Fn::If" in part and "ec2:" in str(part)]
        assert [(part[0], set(part[1]["Action"]), part[2]) for part in allowed] == [
            (condition, NETWORK_INTERFACES, {"Ref": "AWS::NoValue"})
        ]
    denied = {name: statement for name, statement in statements(deployed) if statement["Effect"] == "Deny"}
    with_rights = {name for name, statement in statements(deployed) if "ec2:" in str(statement)}
    assert denied.keys() == with_rights == {f"{name}Role" for name in callers}
    for statement in denied.values():
        assert set(statement["Action"]) == NETWORK_INTERFACES
        assert "lambda:SourceFunctionArn" in statement["Condition"]["ArnLike"]
    with_network = {name for name, item in deployed["Resources"].items() if "VpcConfig" in item.get("Properties", {})}
    assert with_network == callers.keys()


def test_a_custom_domain_needs_its_certificate_and_is_the_base_of_links(deployed: dict[str, Any]) -> None:
    mapping = deployed["Resources"]["DomainMapping"]["Properties"]
    assert (mapping["ApiId"], mapping["Stage"]) == ({"Ref": "Api"}, {"Ref": "ApiStage"})
    assert {deployed["Resources"][name]["Condition"] for name in ("Domain", "DomainMapping")} == {"HasDomain"}
    base = deployed["Outputs"]["ApiUrl"]["Value"]["Fn::If"][2]
    assert base["Fn::If"][:2] == ["HasDomain", {"Fn::Sub": "https://${DomainName}"}]
    rule = deployed["Rules"]["DomainHasCertificate"]["Assertions"][0]["Assert"]
    assert rule == {"Fn::Not": [{"Fn::Equals": [{"Ref": "DomainCertificateArn"}, ""]}]}
