"""Pure decisions of the service: standard library and pydantic only."""
