"""The whole system on one machine, from the same `template.yaml`, without Docker or an account."""
