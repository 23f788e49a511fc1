"""The local stack gives its runner the settings that a user sets, and nothing else of the environment."""

from infra.local.processes.launcher import LocalDirectPath
from infra.local.processes.runner_process import host_variables, passed_on
from infra.local.settings import read_settings


def test_settings_of_the_runner_pass_through_the_stack() -> None:
    given = {"SLOTS": "1", "SETUP_TIMEOUT_SECS": "120", "FILES_CACHE_MB": "4096"}
    assert passed_on(given | {"SECRET_OF_THE_USER": "secret"}) == given


def test_in_development_programs_may_reach_the_loopback_but_no_port_of_the_service() -> None:
    settings = read_settings({"PORT": "4096", "RUSTBOX_METRICS_PORT": "9100"})
    assert host_variables(settings, LocalDirectPath("127.0.0.1:40001", "token")) == {
        "STAGE": "local",
        "NETWORK_HOST_ALLOWED": "true",
        "NETWORK_HOST_REFUSED_PORTS": "4096,9100,40001",
    }


def test_another_stage_in_development_has_no_way_to_the_loopback() -> None:
    assert host_variables(read_settings({"RUSTBOX_PARAM_Stage": "dev"}), None) == {}


def test_in_production_no_program_reaches_the_loopback() -> None:
    settings = read_settings({"RUSTBOX_PUBLIC_URL": "https://rustbox.example.com"}, production=True)
    assert host_variables(settings, None) == {}
