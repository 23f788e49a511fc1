"""The runner: takes executions from a queue, runs them in a jail, answers with classified results."""

RUNNER_VERSION = "0.1.0"
