"""What the administrator does with a running stage: trace a submission, redrive dead letters, purge a project."""
