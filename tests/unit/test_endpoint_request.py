import json
from dataclasses import replace
from typing import Any

import pytest

from functions.clock import to_rfc3339
from functions.errors import BadRequestError, InvalidFieldsError, ServiceError
from functions.http.validation import parse_body
from functions.webhooks.deliveries.views import delivery_filters, delivery_id
from functions.webhooks.endpoints.model import (
    ALL_KINDS,
    ALL_RUNS,
    CLIENT_KINDS,
    DISABLE_AFTER_MS,
    BodyFormat,
    DisabledReason,
    Endpoint,
    EndpointSettings,
    FailureStreak,
    Health,
    Payload,
    RunFilters,
    SubmissionKind,
)
from functions.webhooks.endpoints.requests import (
    ChangeEndpointRequest,
    CreateEndpointRequest,
    changed_settings,
    new_settings,
    parse_recovery,
    parse_rotation,
)
from functions.webhooks.endpoints.store import CreationClaim
from functions.webhooks.views import endpoint_body
from functions.webhooks.vocabulary import FILTERABLE_EVENTS, INCIDENT_EVENTS
from functions.webhooks.webhook_url import AddressRules
from tests.submission_factory import START_MS

RULES = AddressRules(allow_insecure=False, own_hosts=("api.example.com", "rustbox.example.com"))
URL = "https://hooks.example.com/x?token=hidden"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT_ID, ENDPOINT_ID = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11", "0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02"
ENDPOINT = Endpoint(
    endpoint_id=ENDPOINT_ID,
    project_id="dev",
    url=URL,
    secret_box=b"box",
    created_at="2026-11-24T12:00:00.000Z",
    updated_at="2026-11-24T12:00:00.000Z",
    events=("submission.completed",),
    description="mine",
    headers={"x-team": "***", "authorization": "***"},
    headers_box=b"headers",
)
HEADERS = {"x-team": "7", "authorization": "Bearer hidden"}


def created(body: Any) -> EndpointSettings:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return new_settings(parse_body(CreateEndpointRequest, raw), RULES)


def changed(body: Any, endpoint: Endpoint = ENDPOINT) -> EndpointSettings:
    return changed_settings(endpoint, HEADERS, parse_body(ChangeEndpointRequest, json.dumps(body).encode()), RULES)


@pytest.mark.parametrize("nulls", [{}, dict.fromkeys(("events", "description", "enabled", "headers", "secret"))])
def test_an_endpoint_needs_a_url_only(nulls: dict[str, None]) -> None:
    assert created({"url": URL, **nulls}) == EndpointSettings(url=URL, kinds=CLIENT_KINDS)


def test_everything_can_be_given_and_the_unknown_is_ignored() -> None:
    given = {
        "url": "https://hooks.example.com:8443/",
        "events": ["endpoint.disabled", "submission.completed", "endpoint.disabled"],
        "description": "Grades → course server",
        "enabled": False,
        "headers": {"X-Team": "7"},
        "kinds": ["check", "run", "check"],
        "secret": SECRET,
        "unknown": [1],
    }
    expected = EndpointSettings(
        url="https://hooks.example.com:8443/",
        events=("endpoint.disabled", "submission.completed"),
        description="Grades → course server",
        enabled=False,
        headers={"x-team": "7"},
        kinds=(SubmissionKind.CHECK, SubmissionKind.RUN),
    )
    assert created(given) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "b94e12e929425b4916ed36e634d7727f76a6bd3babed5af1fdbaeaf0d2149bd1"),
        (
            {
                "events": ["judge.completed", "judge.completed"],
                "description": "Grades",
                "enabled": False,
                "headers": {"X-Team": "7"},
                "max_concurrency": 2,
                "max_per_second": 3,
                "max_output_bytes": 4,
                "format": "slack",
                "routing_key": "k",
                "kinds": ["check", "run", "check"],
                "filters": {"verdicts": ["AC"], "languages": ["PY"], "metadata": {"course": "7"}},
                "payload": "thin",
                "api_version": "2026-11-27",
                "ordered": True,
                "asymmetric": True,
                "secret": "whsec_x",
            },
            "7f3724bbd3aa64a6480214eade06ba95a58f42603b8059d4e61d28d8db5afbce",
        ),
        ({"timeout_secs": 7}, "161eb3af66e92ef50003c03ea407b329c88c1180ee7bc7b771bac7b2960660c7"),
    ],
)
def test_a_repeat_of_a_body_from_before_an_upgrade_has_the_recorded_hash(body: dict[str, Any], expected: str) -> None:
    raw = json.dumps({"url": "https://hooks.example.com/x", **body}).encode()
    request = parse_body(CreateEndpointRequest, raw)
    assert CreationClaim.of("key", request.model_dump_json(), "id").body_sha256 == expected


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": None}, "url"),
        ({"url": 1}, "url"),
        ({"url": ""}, "url"),
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://hooks.example.com:22/"}, "url"),
        ({"url": "https://user@hooks.example.com/"}, "url"),
        ({"url": "https://api.example.com/x"}, "url"),
        ({"url": "https://RUSTBOX.example.com./x"}, "url"),
        ({"url": "https://hooks.example.com/\ud800"}, "url"),
        ({"url": "https://hooks.example.com/" + "x" * 2_048}, "url"),
        ({"events": "submission.completed"}, "events"),
        ({"events": ["submission.started"]}, "events[0]"),
        ({"events": ["submission.completed", "webhook.test"]}, "events[1]"),
        ({"events": [None]}, "events[0]"),
        ({"events": ["submission.completed"] * 21}, "events"),
        ({"description": "x" * 501}, "description"),
        ({"description": "a\nb"}, "description"),
        ({"description": "\x1b[2J"}, "description"),
        ({"description": "\u202eevil"}, "description"),
        ({"enabled": "true"}, "enabled"),
        ({"headers": ["x-team"]}, "headers"),
        ({"headers": {"x-team": 7}}, "headers.x-team"),
        ({"headers": {"Host": "x"}}, "headers.host"),
        ({"headers": {"x-team": "***"}}, "headers.x-team"),
        ({"kinds": "check"}, "kinds"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["check", "job"]}, "kinds[1]"),
        ({"kinds": ["run"] * 4}, "kinds"),
        ({"filters": ["AC"]}, "filters"),
        ({"filters": {"verdict": ["AC"]}}, "filters.verdict"),
        ({"filters": {"verdicts": ["WA"]}}, "filters.verdicts[0]"),
        ({"filters": {"verdicts": ["AC"] * 9}}, "filters.verdicts"),
        ({"filters": {"languages": ["python", "cobolscript"]}}, "filters.languages[1]"),
        ({"filters": {"languages": ["c"] * 21}}, "filters.languages"),
        ({"filters": {"metadata": {"course": 7}}}, "filters.metadata.course"),
        ({"filters": {"metadata": {str(number): "" for number in range(17)}}}, "filters.metadata"),
        ({"filters": {"metadata": {"course": "x" * 2_048}}}, "filters.metadata"),
        ({"payload": "thinnest"}, "payload"),
        ({"payload": "thin", "format": "slack"}, "payload"),
        ({"api_version": "2020-01-01"}, "api_version"),
        ({"api_version": 1}, "api_version"),
        ({"max_output_bytes": -1}, "max_output_bytes"),
        ({"max_output_bytes": 262_145}, "max_output_bytes"),
        ({"timeout_secs": 0}, "timeout_secs"),
        ({"timeout_secs": 16}, "timeout_secs"),
        ({"timeout_secs": 1.5}, "timeout_secs"),
        ({"ordered": "true"}, "ordered"),
        ({"secret": ""}, "secret"),
        ({"secret": "whsec_%"}, "secret"),
        ({"secret": "whsec_short"}, "secret"),
        ({"secret": "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "secret"),
        ({"secret": "raw text of a fine length that is no whsec_"}, "secret"),
        ({"secret": SECRET + "\n"}, "secret"),
        ({"secret": 7}, "secret"),
    ],
)
def test_a_wrong_field_is_named_and_its_content_is_not_quoted(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        created({"url": URL, **changes})
    assert [problem.field for problem in refused.value.fields] == [field]
    text = repr(refused.value.fields) + refused.value.message
    assert all(not isinstance(value, str) or len(value) < 8 or value not in text for value in changes.values())


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"[]", 422), (b"null", 422)]
    + [(raw, 400) for raw in (b"", b"{", b'{"url":"x","url":"y"}', b'{"url":NaN}', b"\xff", b"[" * 9999)],
)
def test_a_body_that_is_no_object_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(ServiceError) as refused:
        created(raw)
    assert refused.value.status == status


def test_own_secrets_are_taken_with_and_without_padding() -> None:
    for secret in (SECRET, "whsec_" + "QUJD" * 8 + "QQ==", "whsec_" + "QUJD" * 8 + "QQ"):
        created({"url": URL, "secret": secret})


def test_a_change_keeps_unnamed_fields() -> None:
    same = EndpointSettings(url=URL, events=ENDPOINT.events, description="mine", headers=HEADERS)
    assert changed({}) == changed(dict.fromkeys(("url", "events", "description", "enabled", "headers"))) == same
    assert changed({"events": []}) == replace(same, events=())
    assert changed({"description": ""}) == replace(same, description="")
    assert changed({"enabled": False}) == replace(same, enabled=False)
    assert changed({"headers": {}}) == replace(same, headers={})
    assert changed({"url": "https://other.example.com/"}) == replace(same, url="https://other.example.com/")


def test_hidden_values_given_back_stay_and_new_ones_count() -> None:
    assert changed({"headers": {"X-Team": "***", "x-new": "1"}}).headers == {"x-team": "7", "x-new": "1"}
    with pytest.raises(InvalidFieldsError):
        changed({"headers": {"x-other": "***"}})


def test_an_endpoint_whose_url_is_refused_by_now_can_still_be_switched_off() -> None:
    old = replace(ENDPOINT, url="https://127.0.0.1/")
    assert changed({"enabled": False}, old).enabled is False
    with pytest.raises(InvalidFieldsError):
        changed({"url": "https://127.0.0.1/"}, old)


def test_a_stored_credential_keeps_the_url_from_becoming_plain_http() -> None:
    insecure = AddressRules(allow_insecure=True, own_hosts=())
    change = ChangeEndpointRequest(url="http://127.0.0.1/")
    with pytest.raises(InvalidFieldsError, match=r"headers\.authorization"):
        changed_settings(ENDPOINT, HEADERS, change, insecure)
    assert changed_settings(ENDPOINT, {}, change, insecure).url == "http://127.0.0.1/"


def test_a_secret_is_rotated_and_not_changed() -> None:
    with pytest.raises(InvalidFieldsError, match="secret"):
        changed({"secret": SECRET})


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"overlap_secs":null,"secret":null}'])
def test_a_rotation_without_a_body_has_the_default_overlap_and_secret(raw: bytes) -> None:
    asked = parse_rotation(raw)
    assert (asked.overlap_secs, asked.secret) == (None, None)


@pytest.mark.parametrize(
    "body", [{"overlap_secs": value} for value in (-1, 604_801, "0", 1.5, True)] + [{"secret": "x"}]
)
def test_a_wrong_rotation_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidFieldsError):
        parse_rotation(json.dumps(body).encode())


@pytest.mark.parametrize("age_secs", [0, 1, 14 * 86_400])
def test_a_recovery_goes_back_two_weeks(age_secs: int) -> None:
    since_ms = START_MS - age_secs * 1_000
    assert parse_recovery(json.dumps({"since": to_rfc3339(since_ms)}).encode(), START_MS) == (since_ms, False)


def test_a_recovery_takes_any_offset() -> None:
    assert parse_recovery(b'{"since":"2026-11-24T13:00:00+02:00"}', START_MS) == (START_MS - 3_600_000, False)
    assert parse_recovery(b'{"since":"2026-11-24t11:59:59.9z"}', START_MS) == (START_MS - 100, False)


@pytest.mark.parametrize(
    "since",
    [
        *(None, "", "x", 0, START_MS, "2026-11-24", "2026-11-24T12:00:00", "2026-W48-2T12:00:00Z", "now"),
        *("2026-11-24T12:00:01Z", "2026-11-10T11:59:59Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
        *("2026-11-24T25:00:00Z", "2026-02-30T00:00:00Z", "٢٠٢٦-11-24T12:00:00Z", "2026-11-24T12:00:00Z\n"),
    ],
)
def test_a_time_out_of_reach_is_refused(since: Any) -> None:
    with pytest.raises(InvalidFieldsError):
        parse_recovery(json.dumps({"since": since}).encode(), START_MS)


# --- what is shown --------------------------------------------------------------------------------------------------


def test_no_secret_and_no_value_of_a_header_is_shown() -> None:
    shown: Any = endpoint_body(replace(ENDPOINT, previous_secret_box=b"old", previous_until_ms=START_MS + 1), START_MS)
    assert shown["headers"] == {"x-team": "***", "authorization": "***"}
    assert "Bearer" not in repr(shown)
    assert "box" not in repr(shown)
    assert shown["previous_secret_until"] == to_rfc3339(START_MS + 1)
    assert endpoint_body(ENDPOINT, START_MS)["previous_secret_until"] is None


def test_a_degraded_endpoint_shows_its_next_step() -> None:
    failing = replace(ENDPOINT, failing=FailureStreak(START_MS, START_MS + 1, spread=2))
    early = endpoint_body(failing, START_MS + DISABLE_AFTER_MS // 2 - 1)
    late = endpoint_body(failing, START_MS + DISABLE_AFTER_MS // 2)
    assert (early["health"], early["warning"], early["failing_since"]) == ("active", None, to_rfc3339(START_MS))
    assert late["health"] == Health.DEGRADED
    assert to_rfc3339(START_MS + DISABLE_AFTER_MS) in (late["warning"] or "")


def test_a_disabled_endpoint_says_why_and_since_when() -> None:
    off = replace(ENDPOINT, enabled=False, disabled_reason=DisabledReason.GONE, disabled_at="2026-11-24T12:00:00.000Z")
    shown = endpoint_body(off, START_MS)
    assert (shown["health"], shown["disabled_reason"], shown["warning"]) == ("disabled", "gone", None)
    assert shown["disabled_at"] == "2026-11-24T12:00:00.000Z"


# --- deliveries -----------------------------------------------------------------------------------------------------


def test_a_delivery_is_named_by_event_and_endpoint() -> None:
    assert delivery_id(f"{EVENT_ID}.run") == (EVENT_ID, "run")
    assert delivery_id(f"{EVENT_ID.upper()}.{ENDPOINT_ID.upper()}") == (EVENT_ID, ENDPOINT_ID)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "run", ".run", EVENT_ID, f"{EVENT_ID}.", f"{EVENT_ID}.RUN", f"{EVENT_ID}.runx", f"{EVENT_ID}#run"),
        *(f"{EVENT_ID}.run.run", f"{EVENT_ID}.{EVENT_ID}.run", f" {EVENT_ID}.run", f"{EVENT_ID}.run\n", "run.run"),
    ],
)
def test_an_invalid_delivery_id_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequestError):
        delivery_id(text)


@pytest.mark.parametrize(
    "query", [{"state": "x"}, {"state": ""}, {"endpoint_id": "x"}, {"endpoint_id": ""}, {"submission_id": "run"}]
)
def test_a_wrong_filter_is_a_bad_request(query: dict[str, str]) -> None:
    with pytest.raises(BadRequestError):
        delivery_filters(query)


def test_filters_have_canonical_names_and_no_repeats() -> None:
    given = {"verdicts": ["TLE", "TLE"], "languages": ["PY", "python", "c++"], "metadata": {"course": "7"}}
    assert created({"url": URL, "filters": given}).filters == RunFilters(("TLE",), ("python", "cpp"), {"course": "7"})


def test_a_change_replaces_all_filters_and_an_empty_one_removes_them() -> None:
    filtered = replace(ENDPOINT, filters=RunFilters(verdicts=("TLE",)))
    assert changed({}, filtered).filters == filtered.filters
    assert changed({"filters": {"languages": ["c"]}}, filtered).filters == RunFilters(languages=("c",))
    assert changed({"filters": {}}, filtered).filters == ALL_RUNS


PAGERDUTY = replace(ENDPOINT, format=BodyFormat.PAGERDUTY, events=(), routing_key="***", routing_key_box=b"box")
ROUTING_KEY = "e93facc04764012d7bfb002500d5d1a6"


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"format": "pagerduty"}, "routing_key", "32 letters and digits"),
        ({"format": "pagerduty", "routing_key": "short hidden"}, "routing_key", "32 letters and digits"),
        ({"format": "pagerduty", "routing_key": "***"}, "routing_key", "there is none"),
        ({"routing_key": ROUTING_KEY}, "routing_key", "Only format pagerduty"),
        ({"format": "pagerduty", "routing_key": ROUTING_KEY, "payload": "thin"}, "payload", "no thin form"),
        (
            {"format": "pagerduty", "routing_key": ROUTING_KEY, "events": ["judge.completed"]},
            "events[0]",
            "check.state.changed",
        ),
        ({"format": "pager"}, "format", "cloudevents_structured"),
    ],
)
def test_a_wrong_setting_of_a_format_says_what_to_do(changes: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        created({"url": URL, **changes})
    (problem,) = refused.value.fields
    assert problem.field == field
    assert message in problem.message
    assert "hidden" not in problem.message


def test_a_routing_key_is_kept_until_it_is_replaced_or_the_format_changes() -> None:
    assert created({"url": URL, "format": "pagerduty", "routing_key": ROUTING_KEY}).routing_key == ROUTING_KEY
    assert changed({"description": "x"}, PAGERDUTY).routing_key == "***"
    assert changed({"routing_key": "***"}, PAGERDUTY).routing_key == "***"
    assert changed({"routing_key": ROUTING_KEY}, PAGERDUTY).routing_key == ROUTING_KEY
    assert changed({"format": "slack"}, PAGERDUTY).routing_key == ""
    with pytest.raises(InvalidFieldsError):
        changed({"routing_key": ""}, PAGERDUTY)
    shown: list[Any] = [endpoint_body(each, START_MS) for each in (PAGERDUTY, ENDPOINT)]
    assert [each["routing_key"] for each in shown] == ["***", None]


def test_an_endpoint_of_pagerduty_gets_the_events_that_have_incidents() -> None:
    wanted = {name for name in FILTERABLE_EVENTS if PAGERDUTY.wants(name)}
    assert (
        wanted
        == INCIDENT_EVENTS
        == {
            *("check.state.changed", "delivery.exhausted"),
            *("endpoint.degraded", "endpoint.disabled", "endpoint.recovered"),
        }
    )


def test_a_change_keeps_the_kinds_that_it_does_not_name() -> None:
    assert changed({}).kinds == ALL_KINDS == ENDPOINT.kinds
    assert changed({"kinds": ["judge"]}).kinds == (SubmissionKind.JUDGE,)


@pytest.mark.parametrize(("field", "value"), [("payload", "thin"), ("api_version", "2020-01-01"), ("ordered", True)])
def test_fields_of_the_creation_never_change(field: str, value: object) -> None:
    assert changed({field: getattr(ENDPOINT, field)}) == changed({})
    with pytest.raises(InvalidFieldsError) as refused:
        changed({field: value})
    assert [(problem.field, problem.message) for problem in refused.value.fields] == [
        (field, "Set at creation, and never changed. Create another endpoint.")
    ]


def test_a_thin_endpoint_gets_no_messages_for_people() -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        changed({"format": "slack"}, replace(ENDPOINT, payload=Payload.THIN))
    assert [problem.field for problem in refused.value.fields] == ["payload"]


def test_an_unknown_version_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        created({"url": URL, "api_version": "2020-01-01"})
    assert refused.value.fields[0].message == "Unknown version. Known: 2026-11-27."
