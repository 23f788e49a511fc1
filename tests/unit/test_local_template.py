"""The local stack serves what template.yaml declares, and refuses what it cannot serve."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.invoker import merge_environments
from infra.local.settings import ROOT, StartError, read_settings
from infra.local.template import Function, Schedule, Stack, Template, read_stack, refuse_unknown_types
from infra.local.translation import translate
from infra.local.triggers import interval_secs, next_firing, plan_firings
from infra.sam_template import read
from infra.sam_template import translate as translate_sam


@pytest.fixture(scope="module")
def template() -> Template:
    return translate(ROOT / "template.yaml", read_settings({}).parameters)


@pytest.fixture(scope="module")
def stack(template: Template) -> Stack:
    values = {
        name: {
            "Ref": f"local-{name}" if kind["Type"] != "AWS::Lambda::Function" else name,
            "Arn": f"arn:aws:{kind['Type'].split('::')[1].lower()}:us-east-1:0:local-{name}",
            "StreamArn": f"arn:x:table/local-{name}/stream/label",
        }
        | ({"Arn": f"arn:aws:lambda:us-east-1:0:function:{name}"} if kind["Type"] == "AWS::Lambda::Function" else {})
        for name, kind in template.resources.items()
    }
    for name, kind in template.resources.items():
        if kind["Type"] == "AWS::Lambda::Alias":
            values[name]["Ref"] = values[kind["Properties"]["FunctionName"]["Ref"]]["Arn"]
    return read_stack(replace(template, values=values))


def test_every_resource_type_of_the_template_is_known(template: Template) -> None:
    refuse_unknown_types(template)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "banana"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("SWEEP_SECS", "-1"),
        ("SWEEP_SECS", "nan"),
        ("RUSTBOX_PROCESSES", "0"),
        ("RUSTBOX_METRICS_PORT", "x"),
        ("RUSTBOX_SYNCHRONOUS", "OFF"),
        ("RUSTBOX_LISTEN", "localhost"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(StartError, match=f"^{name}") as caught:
        read_settings({name: value})
    assert "\n" not in str(caught.value)


def test_unknown_resource_type_is_refused() -> None:
    with pytest.raises(StartError, match="AWS::SNS::Topic"):
        refuse_unknown_types(Template({"Bell": {"Type": "AWS::SNS::Topic"}}, {}, {}, {}))


def test_unknown_parameter_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(StartError, match=r"Nonsense.*Stage"):
        translate(ROOT / "template.yaml", {"Nonsense": "1"})


def test_stack_serves_routes_mappings_and_schedule_of_the_template(stack: Stack) -> None:
    keys = {route.key: route.function for route in stack.routes}
    assert keys["ANY /api/submit"] == "SubmitFunction"
    assert keys["ANY /api/projects"] == keys["ANY /api/projects/{proxy+}"] == "ManageFunction"
    assert keys["ANY /api/result/{proxy+}"] == keys["$default"] == "ResultFunction"
    mappings = {mapping.queue: mapping for mapping in stack.mappings}
    assert mappings["CompletionsQueue"].function == "RecordFunction"
    assert (mappings["DeliveriesQueue"].batch_size, mappings["DeliveriesQueue"].max_concurrency) == (1, 64)
    assert all(mapping.reports_failures for mapping in stack.mappings)
    assert [(schedule.expression, schedule.function) for schedule in stack.schedules] == [
        ("rate(1 minute)", "ScheduleFunction"),
        ("rate(1 minute)", "SweepFunction"),
    ]


def test_local_stage_is_the_only_one_with_insecure_targets(template: Template, stack: Stack) -> None:
    assert stack.functions["SubmitFunction"].environment["STAGE"] == "local"
    assert stack.functions["WebhookFunction"].environment["ALLOW_INSECURE_WEBHOOK_TARGETS"] == "true"
    assert translate(ROOT / "template.yaml", {}).parameters["AllowInsecureWebhookTargets"] == "false"
    assert template.parameters["PublicBaseUrl"] == "http://127.0.0.1:4096"


def test_environments_of_the_template_can_be_merged(stack: Stack) -> None:
    assert {"STAGE", "WEBHOOK_RETRY_SECS", "SUBMISSIONS_TABLE"} <= merge_environments(stack.functions).keys()


def test_one_name_with_two_values_is_refused() -> None:
    functions = {name: Function(name, "m.handler", 1, 128, {"STAGE": name}) for name in ("One", "Two")}
    with pytest.raises(StartError, match="STAGE has two values"):
        merge_environments(functions)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"Ref": "Stage"}, "local"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:queue"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:queue"),
        ({"Fn::Sub": "${Stage}/${Queue.Arn}/${Queue}/${!Kept}"}, "local/arn:queue/url/${Kept}"),
        ({"Fn::Sub": ["${a}-${Stage}", {"a": {"Ref": "Queue"}}]}, "url-local"),
        ({"Fn::Join": [":", ["a", {"Ref": "Stage"}]]}, "a:local"),
        ({"Fn::If": ["IsLocal", {"x": 1}, {"Ref": "Missing"}]}, {"x": 1}),
        ({"Fn::If": ["IsNotLocal", {"Ref": "Missing"}, 2]}, 2),
        ({"kept": 1, "dropped": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ([1, {"Ref": "AWS::NoValue"}, {"Fn::If": ["IsNotLocal", 1, {"Ref": "AWS::NoValue"}]}], [1]),
        ({"Condition": {"Bool": {"a": "b"}}}, {"Condition": {"Bool": {"a": "b"}}}),
    ],
)
def test_intrinsic_is_resolved(node: Any, expected: Any) -> None:
    conditions = {
        "IsLocal": {"Fn::Equals": [{"Ref": "Stage"}, "local"]},
        "IsNotLocal": {"Fn::Not": [{"Condition": "IsLocal"}]},
    }
    template = Template({}, {"Stage": "local"}, conditions, {"Queue": {"Ref": "url", "Arn": "arn:queue"}})
    assert template.resolve(node) == expected


@pytest.mark.parametrize(
    "node", [{"Ref": "Nobody"}, {"Fn::GetAtt": ["Nobody", "Arn"]}, {"Fn::Cidr": []}, {"Fn::If": ["No", 1, 2]}]
)
def test_an_unresolvable_intrinsic_stops_the_start(node: Any) -> None:
    with pytest.raises(StartError):
        Template({}, {}, {}, {}).resolve(node)


def test_a_translation_that_does_not_end_stops_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("infra.local.translation._CACHE", tmp_path)
    monkeypatch.setattr("infra.local.translation._TIMEOUT_SECS", 0.01)  # an interpreter does not even start in that
    with pytest.raises(StartError, match="not translated within"):
        translate(ROOT / "template.yaml", {})


def test_a_translation_is_kept_until_the_template_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache, path = tmp_path / "cache", tmp_path / "template.yaml"
    monkeypatch.setattr("infra.local.translation._CACHE", cache)
    path.write_text((ROOT / "template.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    first = translate(path, {"Stage": "local"})
    (kept,) = cache.iterdir()
    monkeypatch.setattr("infra.local.translation._TIMEOUT_SECS", 0.01)  # none is made from here on
    assert translate(path, {"Stage": "local"}) == first
    assert translate(path, {"Stage": "prod"}).parameters["Stage"] == "prod"
    kept.write_text("{", encoding="utf-8")  # cut off
    with pytest.raises(StartError, match="not translated within"):
        translate(path, {})
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(StartError, match="not translated within"):
        translate(path, {})


def test_values_of_parameters_equal_the_translators() -> None:
    overrides = {"Stage": "prod", "UseEventBus": "false", "WebhookSenders": "7", "RunnerUrl": "https://runner"}
    template = translate(ROOT / "template.yaml", overrides)
    by_translator = translate_sam(read(ROOT / "template.yaml"), overrides, "s3://local/code")["Resources"]
    attributes = ("Ref", "Arn", "StreamArn", "QueueName", "ApiEndpoint", "Version")
    values = {name: {attribute: f"{name}.{attribute}" for attribute in attributes} for name in by_translator}
    template = replace(template, values=values)
    assert template.resources
    for logical_id, resource in template.resources.items():
        expected = by_translator[logical_id].get("Properties", {})
        assert template.resolve(resource.get("Properties", {})) == template.resolve(expected), logical_id


@pytest.mark.parametrize(
    ("expression", "secs"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)]
)
def test_rate_is_an_interval(expression: str, secs: int) -> None:
    assert interval_secs(expression) == secs


def test_schedule_that_cannot_be_fired_is_refused() -> None:
    with pytest.raises(StartError, match="cron"):
        interval_secs("cron(0 9 * * ? *)")


def test_the_sweeper_finds_a_lost_message_within_30_s_and_fires_beside_no_other_schedule() -> None:
    schedules = [
        Schedule("checks", "rate(1 minute)", "ScheduleFunction"),
        Schedule("s", "rate(1 minute)", "SweepFunction"),
    ]
    sweeps, checks = plan_firings(schedules, None)
    redrive_secs = float(read_settings({}).parameters["PendingRedriveSecs"])
    production = read_settings({"RUSTBOX_PUBLIC_URL": "https://rustbox.example"}, production=True)
    assert float(production.parameters["PendingRedriveSecs"]) == redrive_secs
    assert redrive_secs + 2 * sweeps.every_secs <= 30
    assert (sweeps.after_secs, checks.every_secs) == (0, 60)
    assert 1 < checks.after_secs % sweeps.every_secs < sweeps.every_secs - 1
    assert [(one.every_secs, one.after_secs) for one in plan_firings(schedules, 1)] == [(1, 0), (1, 0.5)]


def test_a_long_firing_does_not_move_the_next_ones() -> None:
    assert [next_firing(10, 5, now) for now in (10, 11, 15, 15.5, 27)] == [15, 15, 15, 20, 30]


def test_settings_come_from_named_variables() -> None:
    settings = read_settings(
        {"PORT": "5000", "RUSTBOX_PARAM_RetentionDays": "3", "WEBHOOK_RETRY_SECS": "0,1", "SWEEP_SECS": "2"}
    )
    assert (settings.base_url, settings.sweep_secs) == ("http://127.0.0.1:5000", 2)
    assert {"RetentionDays": "3", "WebhookRetrySecs": "0,1", "Stage": "local"}.items() <= settings.parameters.items()
    assert read_settings({}).state_dir == Path(ROOT / ".state")
    assert read_settings({}).listen_address == "127.0.0.1"
    assert read_settings({"RUSTBOX_LISTEN": "0.0.0.0"}).listen_address == "0.0.0.0"  # noqa: S104 - of a container
