"""The first project and the smoke test of a stage.

1. `api` is the deployed HTTP API, as a client sees it, and creates the projects.
2. `runner` starts a runner for an emulator on this machine. `receiver` is a webhook receiver on AWS.
3. `smoke_test` does one run for each way to get a result, one with content in the bucket, and a cancel.
"""
