"""The administrator's work on a running stage: trace a submission, redrive dead letters, purge a project."""
