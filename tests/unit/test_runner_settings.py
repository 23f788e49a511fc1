"""Settings name the variable that is wrong and never show its value."""

from pathlib import Path

import pytest

from sandbox_runtime.commands.worker_slots import choose_set_up_cpus
from sandbox_runtime.settings import SettingsInvalidError, setup_timeout_secs, toolchains_dir, worker_settings
from sandbox_runtime.worker.queue_intake import polled_queues

NEEDED = {
    "INTERACTIVE_QUEUE_URL": "http://127.0.0.1/i",
    "BATCH_QUEUE_URL": "http://127.0.0.1/b",
    "COMPLETIONS_QUEUE_URL": "http://127.0.0.1/c",
    "PAYLOADS_BUCKET": "payloads",
}


def test_a_worker_without_settings_has_the_documented_defaults() -> None:
    found = worker_settings(NEEDED)
    assert (found.visibility_secs, found.heartbeat_secs, found.drain_secs, found.max_receives) == (60, 20, 50, 5)
    assert 1 <= found.slots <= 32
    assert found.node_id


@pytest.mark.parametrize(
    ("slots", "pin", "expected"),
    [("2", "true", (3, 5)), ("7", "true", (3, 5)), ("1", "true", None), ("2", "false", None)],
)
def test_runs_are_set_up_on_one_cpu_if_there_is_a_slot_for_each(
    monkeypatch: pytest.MonkeyPatch, slots: str, pin: str, expected: tuple[int, ...] | None
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {5, 3})
    chosen = choose_set_up_cpus(worker_settings({**NEEDED, "SLOTS": slots, "PIN_SET_UP": pin}))
    assert (None if chosen is None else chosen.cpus) == expected


@pytest.mark.parametrize("variable", NEEDED)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(variable: str, value: str | None) -> None:
    environment = {name: text for name, text in {**NEEDED, variable: value}.items() if text is not None}
    with pytest.raises(SettingsInvalidError) as caught:
        worker_settings(environment)
    assert caught.value.variable == variable


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SLOTS", "0"),
        ("SLOTS", "33"),
        ("SLOTS", "-1"),
        ("SLOTS", "two-secret"),
        ("SLOTS", "²"),
        ("DRAIN_SECS", "60"),
        ("VISIBILITY_SECS", "5"),
        ("MAX_RECEIVES", "0"),
        ("RECEIVE_WAIT_SECS", "21"),
        ("HEARTBEAT_SECS", "1e3"),
        ("LOG_LEVEL", "secret"),
        ("ALLOW_PERMISSIVE", "yes"),
        ("REQUIRED_CONTROLS", "seccomp,,secret"),
        ("NODE_ID", "n" * 129),
        ("COMPILE_CACHE_MB", "4097"),
        ("COMPILE_CACHE_MB", "-1"),
        ("COMPILE_CACHE_MAX_AGE_SECS", "0"),
        ("COMPILE_CACHE_MAX_AGE_SECS", "86401"),
    ],
)
def test_a_value_out_of_range_is_refused_without_being_shown(variable: str, value: str) -> None:
    with pytest.raises(SettingsInvalidError) as caught:
        worker_settings({**NEEDED, variable: value})
    assert caught.value.variable == variable
    assert "secret" not in str(caught.value)


def test_the_compile_cache_is_bounded_and_can_be_turned_off() -> None:
    found = worker_settings(NEEDED)
    assert (found.compile_cache_mb, found.compile_cache_max_age_secs) == (64, 600)
    assert worker_settings({**NEEDED, "COMPILE_CACHE_MB": "0"}).compile_cache_mb == 0


TOKEN = "secret" * 6
HTTP = {"LISTEN_ADDRESS": "127.0.0.1:8080", "RUNNER_TOKEN": TOKEN, "ALLOW_HTTP": "true"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),  # noqa: S104 - only where somebody says so
    ],
)
def test_a_worker_listens_on_the_configured_address(address: str, expected: tuple[str, int]) -> None:
    found = worker_settings({**NEEDED, **HTTP, "LISTEN_ADDRESS": address})
    assert (found.listen, found.runner_token) == (expected, TOKEN)
    assert "secret" not in repr(found)


def test_a_worker_does_not_listen_by_itself() -> None:
    found = worker_settings({**NEEDED, "RUNNER_TOKEN": TOKEN})
    assert (found.listen, found.runner_token) == (None, "")


@pytest.mark.parametrize(
    "address", [":8080", "8080", "localhost:8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "*:1"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsInvalidError, match="LISTEN_ADDRESS"):
        worker_settings({**NEEDED, **HTTP, "LISTEN_ADDRESS": address})


@pytest.mark.parametrize("token", ["", "secret", "s" * 31, "secret " * 6, "secret\n" * 6, "sécret" * 6])
def test_a_worker_never_listens_without_a_good_token(token: str) -> None:
    with pytest.raises(SettingsInvalidError, match="RUNNER_TOKEN") as caught:
        worker_settings({**NEEDED, **HTTP, "RUNNER_TOKEN": token})
    assert "secret" not in str(caught.value)


def test_the_token_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    listens = {**NEEDED, **HTTP, "RUNNER_TOKEN": "", "RUNNER_TOKEN_FILE": str(file)}
    with pytest.raises(SettingsInvalidError, match="RUNNER_TOKEN_FILE"):
        worker_settings(listens)
    file.write_text(TOKEN + "\n")
    assert worker_settings(listens).runner_token == TOKEN
    for bad in (b"secret\n", "sécret".encode() * 6):
        file.write_bytes(bad)
        with pytest.raises(SettingsInvalidError, match="RUNNER_TOKEN") as caught:
            worker_settings({**listens, "RUNNER_TOKEN": TOKEN})
        assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "explanation"),
    [
        ({}, "TLS_CERT_FILE and TLS_KEY_FILE must be set with LISTEN_ADDRESS, or ALLOW_HTTP=true"),
        ({"ALLOW_HTTP": "false"}, "or ALLOW_HTTP=true"),
        ({"ALLOW_HTTP": "yes"}, "ALLOW_HTTP must be true or false"),
        ({"TLS_CERT_FILE": "/c"}, "must be set together"),
        ({"TLS_KEY_FILE": "/k", "ALLOW_HTTP": "true"}, "must be set together"),
    ],
)
def test_plain_http_must_be_asked_for(given: dict[str, str], explanation: str) -> None:
    with pytest.raises(SettingsInvalidError, match=explanation):
        worker_settings({**NEEDED, **HTTP, "ALLOW_HTTP": "", **given})


def test_a_worker_that_listens_has_a_certificate_or_plain_http() -> None:
    files = {"TLS_CERT_FILE": "/c", "TLS_KEY_FILE": "/k"}
    found = worker_settings({**NEEDED, **HTTP, "ALLOW_HTTP": "", **files})
    assert (found.tls_cert_file, found.tls_key_file) == ("/c", "/k")
    found = worker_settings({**NEEDED, **HTTP})
    assert (found.tls_cert_file, found.tls_key_file) == ("", "")
    assert worker_settings({**NEEDED, **files}).tls_cert_file == ""


def test_permissive_isolation_must_be_asked_for() -> None:
    assert worker_settings(NEEDED).allow_permissive is False
    assert worker_settings({**NEEDED, "ALLOW_PERMISSIVE": "true"}).allow_permissive is True


def test_the_floor_is_a_list_of_names_or_left_to_the_host() -> None:
    assert worker_settings(NEEDED).required_controls is None
    assert worker_settings({**NEEDED, "REQUIRED_CONTROLS": "a, b"}).required_controls == ("a", "b")


def test_all_languages_are_offered_unless_some_are_named() -> None:
    assert worker_settings(NEEDED).languages is None
    assert worker_settings({**NEEDED, "LANGUAGES": "python, c"}).languages == ("python", "c")


def test_a_drain_always_ends_before_the_visibility_time() -> None:
    assert worker_settings({**NEEDED, "VISIBILITY_SECS": "30"}).drain_secs == 29
    with pytest.raises(SettingsInvalidError):
        worker_settings({**NEEDED, "VISIBILITY_SECS": "30", "DRAIN_SECS": "30"})


def test_toolchains_lie_where_the_variable_says_else_beside_the_code() -> None:
    assert toolchains_dir({"TOOLCHAINS_DIR": "/opt/tools"}) == "/opt/tools"
    assert toolchains_dir({}) == str(Path(__file__).parents[2] / ".toolchains")


def test_the_timeout_of_the_set_up_can_only_be_raised() -> None:
    assert setup_timeout_secs({}) == 10
    assert setup_timeout_secs({"SETUP_TIMEOUT_SECS": "600"}) == 600
    for refused in ("9", "601", "60.5"):
        with pytest.raises(SettingsInvalidError):
            setup_timeout_secs({"SETUP_TIMEOUT_SECS": refused})


def test_a_runner_polls_the_queue_of_runs_with_network_only_if_it_takes_them() -> None:
    settings = worker_settings({**NEEDED, "NETWORK_QUEUE_URL": "n"})
    polled = [(queue.queue_url, queue.priority) for queue in polled_queues(settings, network_support=True)]
    others = [(settings.interactive_queue_url, "interactive"), (settings.batch_queue_url, "batch")]
    assert polled == [*others, ("n", "batch")]
    assert [(one.queue_url, one.priority) for one in polled_queues(settings, network_support=False)] == others


@pytest.mark.parametrize(
    ("variables", "network"),
    [({"NETWORK_QUEUE_URL": "n"}, True), ({"NETWORK_QUEUE_URL": "n", "NETWORK": "false"}, False), ({}, False)],
)
def test_a_runner_offers_network_only_if_it_polls_the_queue_of_these_runs(
    variables: dict[str, str],
    network: bool,  # noqa: FBT001
) -> None:
    """Else its heartbeat would have runs accepted that nobody takes, as in a stage whose runners have no way out."""
    assert worker_settings({**NEEDED, **variables}).network is network


def test_a_runner_of_that_queue_alone_gives_it_every_slot() -> None:
    needed = {name: text for name, text in NEEDED.items() if not name.startswith(("INTERACTIVE", "BATCH"))}
    (queue,) = polled_queues(worker_settings({**needed, "NETWORK_QUEUE_URL": "n"}), network_support=True)
    assert (queue.queue_url, queue.priority) == ("n", "interactive")
    with pytest.raises(SettingsInvalidError, match="BATCH_QUEUE_URL"):
        worker_settings({**needed, "NETWORK_QUEUE_URL": "n", "INTERACTIVE_QUEUE_URL": "i"})
