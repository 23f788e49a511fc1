"""Parts of `make serve` that need no stack: metrics, JSON logs and settings."""

import io
import json
import os
import re
import time
from typing import Any
from unittest.mock import Mock

import pytest

from infra.local.console import Console, JsonConsole, LogStream
from infra.local.metrics import Counters, duration_name, exposition, message_name, request_name
from infra.local.processes.loading import _store_smtp_url
from infra.local.settings import SMTP_URL_PARAMETER, StartError, read_settings

PUBLIC = {"RUSTBOX_PUBLIC_URL": "https://rustbox.example/"}


def test_counters_add_up_over_processes_and_survive_one() -> None:
    names = (request_name("Submit", 202), message_name("Queue", "handled"))
    counters = Counters(names, 2)
    for _ in range(2):  # the second one replaces the first
        pid = os.fork()
        if pid == 0:
            counters.use_row(1)
            counters.add(names[0])
            os._exit(0)
        os.waitpid(pid, 0)
    counters.use_row(0)
    counters.add(names[0])
    counters.add(names[1], 10)
    assert dict(counters.totals()) == {names[0]: 3, names[1]: 10}


def test_metrics_are_text_as_prometheus_reads_it() -> None:
    names = (request_name("Submit", 202), request_name("Submit", 503), duration_name("Submit"))
    counters = Counters(names, 1)
    counters.add(names[1])
    counters.add(names[2], 1_500_000)
    assert exposition(counters, [("rustbox_runners", 1)]) == (
        "# TYPE rustbox_http_requests_total counter\n"
        'rustbox_http_requests_total{function="Submit",status="2xx"} 0\n'
        'rustbox_http_requests_total{function="Submit",status="5xx"} 1\n'
        "# TYPE rustbox_http_request_seconds_total counter\n"
        'rustbox_http_request_seconds_total{function="Submit"} 1.5\n'
        "# TYPE rustbox_runners gauge\n"
        "rustbox_runners 1\n"
    )


def test_each_log_line_is_one_json_object() -> None:
    stream = io.StringIO()
    console = JsonConsole(stream)
    console.line("stack", "two\nlines", "warning")
    functions = LogStream(console, "function")
    functions.write('{"level": "INFO", "service": "submit", "message": "Accepted", "submission_id": "1"}\n')
    functions.write('{"_aws": {}}\nplain text\n')
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [record.pop("time")[-6:] for record in records] == ["+00:00"] * 3
    assert records == [
        {"level": "warning", "part": "stack", "message": "two\nlines"},
        {"level": "info", "part": "submit", "message": "Accepted", "submission_id": "1"},
        {"level": "warning", "part": "function", "message": "plain text"},
    ]


@pytest.mark.parametrize("kind", [Console, JsonConsole])
def test_lines_that_repeat_are_left_out_and_counted(kind: type[Console], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stream = io.StringIO()
    console = kind(stream)
    record = {"level": "ERROR", "service": "schedule", "message": "Failed", "exception": "a\n" * 18 + "OSError: full"}
    for number in range(500):
        console.log("function", json.dumps(record | {"number": number}))
        console.line("http", f"GET /{number} 503", "error", kind="GET 503")
        console.line("http", f"GET /{number} 200")
    text = stream.getvalue()
    assert (text.count("Failed"), text.count("503"), text.count(" 200")) == (3, 60, 500)
    console.log("function", json.dumps(record | {"exception": "OSError: another"}))
    now += 60
    console.log("function", json.dumps(record))
    assert "like_it_left_out" not in text
    assert re.search("like_it_left_out.{1,3}497", stream.getvalue())
    for number in range(100_000):
        console.line("http", str(number), "error")
    assert len(console._repeats._counts) <= 500


def test_production_has_the_rules_of_the_production_stage() -> None:
    settings = read_settings(PUBLIC | {"RUSTBOX_PARAM_RetentionDays": "7"}, production=True)
    assert settings.parameters["Stage"] == "prod"
    assert settings.parameters["PublicBaseUrl"] == "https://rustbox.example"
    assert settings.parameters["RetentionDays"] == "7"
    assert "AllowInsecureWebhookTargets" not in settings.parameters  # the template's default is false
    assert not settings.first_run
    assert str(settings.state_dir) == "/var/lib/rustbox"
    assert settings.metrics_port == settings.port + 1
    assert read_settings({}).metrics_port is None


@pytest.mark.parametrize("url", ["", "http://rustbox.example", "rustbox.example"])
def test_production_needs_its_public_address(url: str) -> None:
    with pytest.raises(StartError, match="RUSTBOX_PUBLIC_URL must be the https://"):
        read_settings({"RUSTBOX_PUBLIC_URL": url}, production=True)


def test_production_refuses_the_development_stage() -> None:
    with pytest.raises(StartError, match="the stage local is for `make up`"):
        read_settings(PUBLIC | {"RUSTBOX_PARAM_Stage": "local"}, production=True)


def test_variables_of_opentelemetry_become_parameters_of_the_template() -> None:
    endpoint, headers = "http://127.0.0.1:4318", "api-key=x"
    given = read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_HEADERS": headers})
    assert (given.parameters["OtlpEndpoint"], given.parameters["OtlpHeaders"]) == (endpoint, headers)
    assert not {"OtlpEndpoint", "OtlpHeaders"} & read_settings({}).parameters.keys()


MAIL = {
    "SMTP_URL": "smtps://rustbox:very-hidden@mail.example.com",
    "RUSTBOX_PARAM_EmailFrom": "rustbox@example.com",
    "RUSTBOX_PARAM_EmailDomains": "example.com",
}


@pytest.mark.parametrize("production", [True, False])
def test_the_mail_server_is_named_to_the_functions_and_its_password_is_no_parameter(production: Any) -> None:
    settings = read_settings(PUBLIC | MAIL, production=production)
    assert settings.smtp_url == MAIL["SMTP_URL"]
    assert settings.parameters["SmtpUrlParameter"] == SMTP_URL_PARAMETER
    assert "very-hidden" not in repr(settings)
    assert "SmtpUrlParameter" not in read_settings(PUBLIC | {"SMTP_URL": ""}, production=production).parameters


@pytest.mark.parametrize("missing", ["RUSTBOX_PARAM_EmailFrom", "RUSTBOX_PARAM_EmailDomains"])
def test_a_mail_server_needs_a_sender_and_domains(missing: str) -> None:
    with pytest.raises(StartError, match="SMTP_URL needs RUSTBOX_PARAM_EmailFrom") as refused:
        read_settings(PUBLIC | MAIL | {missing: ""}, production=True)
    assert "very-hidden" not in str(refused.value)


def test_the_mail_server_goes_to_a_sealed_parameter_and_a_wrong_one_stops_the_start_without_being_shown() -> None:
    ssm = Mock()
    _store_smtp_url(ssm, "")
    with pytest.raises(StartError, match="SMTP_URL must be smtps://USER:PASSWORD@HOST") as refused:
        _store_smtp_url(ssm, "smtps://rustbox:very-hid/den@mail.example.com")
    assert "very-hid" not in str(refused.value)
    assert ssm.mock_calls == []
    _store_smtp_url(ssm, MAIL["SMTP_URL"])
    ssm.put_parameter.assert_called_once_with(
        Name=SMTP_URL_PARAMETER, Value=MAIL["SMTP_URL"], Type="SecureString", Overwrite=True
    )
