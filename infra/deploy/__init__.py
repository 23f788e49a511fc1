"""Deployment to AWS or to an emulator: `python -m infra.deploy`, behind `make deploy`."""
