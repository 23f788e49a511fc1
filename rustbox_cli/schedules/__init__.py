"""When a check runs: copies of the service's own modules, which `python -m tests.contract.checks_schema` writes."""
