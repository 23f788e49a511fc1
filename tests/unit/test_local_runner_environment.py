"""The local stack gives its runner the settings that a user sets, and nothing else of the environment."""

from infra.local.processes.runner_process import passed_on


def test_settings_of_the_runner_pass_through_the_stack() -> None:
    given = {"SLOTS": "1", "SETUP_TIMEOUT_SECS": "120"}
    assert passed_on(given | {"SECRET_OF_THE_USER": "secret"}) == given
