import os
import subprocess
import sys

import pytest

from functions.handlers import deliver, submit, webhooks
from functions.settings import SettingsInvalidError, load_settings

WEBHOOK = {
    "STAGE": "prod",
    "DELIVERIES_TABLE": "deliveries",
    "DELIVERIES_QUEUE_URL": "https://queue.example.com/deliveries",
    "WEBHOOK_RETRY_SECS": "0,5,300",
    "WEBHOOK_SENDERS": "100",
    "WEBHOOK_SENDERS_OF_PROCESS": "1",
    "EVENT_BUS_NAME": "bus",
    "ENDPOINT_SECRETS_KEY_ID": "key",
    "PUBLIC_BASE_URL": "https://api.example.com",
    "ALLOW_INSECURE_WEBHOOK_TARGETS": "false",
    "SMTP_URL_PARAMETER": "",
    "EMAIL_FROM": "",
    "EMAIL_DOMAINS": "",
    "PROJECTS_TABLE": "projects",
    "SUBMISSIONS_TABLE": "submissions",
    "QUOTAS_TABLE": "quotas",
    "PENDING_REDRIVE_SECS": "120",
    "PAYLOADS_BUCKET": "payloads",
    "RUNNERS_TABLE": "runners",
    "OFFERED_LANGUAGES": "python",
    "INTERACTIVE_QUEUE_URL": "https://queue.example.com/interactive",
    "BATCH_QUEUE_URL": "https://queue.example.com/batch",
    "NETWORK_QUEUE_URL": "https://queue.example.com/network",
    "RUNNER_URL": "https://runner.example.com",
    "RUNNER_TOKEN_PARAMETER": "/rustbox/runner-token",
    "RUNNER_CA_PARAMETER": "",
    "ALLOW_RUNNER_HTTP": "false",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, text in WEBHOOK.items():
        monkeypatch.setenv(name, text)
    return monkeypatch


def test_insecure_webhook_targets_are_refused_in_any_stage_but_local(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALLOW_INSECURE_WEBHOOK_TARGETS", "true")
    with pytest.raises(SettingsInvalidError):
        load_settings(deliver.SETTINGS)
    environment.setenv("STAGE", "local")
    assert load_settings(deliver.SETTINGS).allow_insecure_webhook_targets is True


@pytest.mark.parametrize("function", ["submit", "webhooks", "deliver"])
def test_no_function_starts_with_insecure_webhook_targets_in_production(function: str) -> None:
    start = [sys.executable, "-c", f"import functions.handlers.{function}"]
    environment = {**os.environ, "STAGE": "prod", "ALLOW_INSECURE_WEBHOOK_TARGETS": "true"}
    refused = subprocess.run(start, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "ALLOW_INSECURE_WEBHOOK_TARGETS is for the stage local only; STAGE is prod" in refused.stderr


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ALLOW_INSECURE_WEBHOOK_TARGETS", "yes", "true or false"),
        ("WEBHOOK_SENDERS", "many", "a whole number"),
        ("WEBHOOK_RETRY_SECS", "0,soon", "whole numbers with commas between them"),
        ("WEBHOOK_RETRY_SECS", "", "whole numbers with commas between them"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_not_shown(
    environment: pytest.MonkeyPatch, name: str, text: str, expected: str
) -> None:
    environment.setenv(name, text)
    with pytest.raises(SettingsInvalidError) as caught:
        load_settings(deliver.SETTINGS)
    assert str(caught.value) == f"{name} must be {expected}"
    assert caught.value.__cause__ is None


def test_addresses_and_networks_are_read_as_networks(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PROJECTS_TABLE", "projects")
    environment.setenv("QUOTAS_TABLE", "quotas")
    environment.setenv("EGRESS_ADDRESSES", "192.0.2.7, 2001:db8::/64,")
    assert load_settings(webhooks.SETTINGS).egress_addresses == ("192.0.2.7/32", "2001:db8::/64")
    environment.setenv("EGRESS_ADDRESSES", "")
    assert load_settings(webhooks.SETTINGS).egress_addresses == ()
    for wrong in ("192.0.2.256", "192.0.2.7/24", "hooks.example.com"):
        environment.setenv("EGRESS_ADDRESSES", wrong)
        with pytest.raises(
            SettingsInvalidError, match=r"^EGRESS_ADDRESSES must be addresses or networks with commas between them"
        ):
            load_settings(webhooks.SETTINGS)


def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DELIVERIES_TABLE")
    with pytest.raises(SettingsInvalidError, match="DELIVERIES_TABLE is not set"):
        load_settings(deliver.SETTINGS)


def test_values_have_their_types(environment: pytest.MonkeyPatch) -> None:
    assert load_settings(deliver.SETTINGS).webhook_retry_secs == (0, 5, 300)
    for name in submit.SETTINGS:
        environment.setenv(name.upper(), "7")
    environment.setenv("OFFERED_LANGUAGES", " python, c ,")
    environment.setenv("ALLOW_INSECURE_WEBHOOK_TARGETS", "false")
    environment.setenv("SERVES_FILES", "false")
    environment.setenv("ALLOW_RUNNER_HTTP", "true")
    settings = load_settings(submit.SETTINGS)
    assert settings.offered_languages == ("python", "c")
    assert settings.retention_days == settings.max_queue_depth == 7


def test_a_runner_without_a_token_is_refused(environment: pytest.MonkeyPatch) -> None:
    for name in submit.SETTINGS:
        environment.setenv(name.upper(), "7")
    environment.setenv("ALLOW_INSECURE_WEBHOOK_TARGETS", "false")
    environment.setenv("SERVES_FILES", "false")
    environment.setenv("ALLOW_RUNNER_HTTP", "true")
    environment.setenv("RUNNER_TOKEN_PARAMETER", "")
    with pytest.raises(SettingsInvalidError, match="RUNNER_TOKEN_PARAMETER"):
        load_settings(submit.SETTINGS)
    environment.setenv("RUNNER_URL", "")
    environment.setenv("NETWORK_RUNNER_URL", "")
    assert load_settings(submit.SETTINGS).runner_url == ""


@pytest.mark.parametrize("variable", ["RUNNER_URL", "NETWORK_RUNNER_URL"])
@pytest.mark.parametrize("url", ["http://10.0.0.7:8080", "HTTP://10.0.0.7", "10.0.0.7"])
def test_a_runner_without_tls_is_refused_unless_the_operator_allows_it(
    environment: pytest.MonkeyPatch, url: str, variable: str
) -> None:
    for name in submit.SETTINGS:
        environment.setenv(name.upper(), "7")
    environment.setenv("ALLOW_INSECURE_WEBHOOK_TARGETS", "false")
    environment.setenv("SERVES_FILES", "false")
    environment.setenv("ALLOW_RUNNER_HTTP", "false")
    environment.setenv("RUNNER_URL", "")
    environment.setenv("NETWORK_RUNNER_URL", "")
    environment.setenv(variable, url)
    with pytest.raises(SettingsInvalidError, match=f"^{variable} .*ALLOW_RUNNER_HTTP must be true"):
        load_settings(submit.SETTINGS)
    environment.setenv("ALLOW_RUNNER_HTTP", "true")
    assert getattr(load_settings(submit.SETTINGS), variable.lower()) == url
    environment.setenv("ALLOW_RUNNER_HTTP", "false")
    environment.setenv(variable, "https://runners.example.com")
    assert load_settings(submit.SETTINGS).allow_runner_http is False
