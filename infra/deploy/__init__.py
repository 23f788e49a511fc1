"""Deployment to AWS or to an emulator: `python -m infra.deploy`, behind `make deploy`.

The commands are modules of this folder: `deploy` with `undeploy`, `status`, `importing` with `restore`, `probe`.
Below them:

1. `account_checks`: the checks before anything is created. `costs`: what a million runs cost.
2. `building`: the zip and the image.
3. `resources`: the stack, and what lies beside it or outlives it.
4. `smoke`: the first project, and runs that show that the stage works.
5. `target`: the stage, the progress and the errors of all commands.
"""
