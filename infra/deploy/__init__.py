"""Deployment to AWS or to an emulator: `python -m infra.deploy`, behind `make deploy`.

The commands are in `deploy` with `undeploy` and `status`, `importing` with `restore`, and `emulator` with `probe`.
In the order of a deployment:

1. `target`: the stage, the progress and the errors of all commands.
2. `account_checks`: the checks before anything is created. `costs`: what a million runs cost.
3. `building`: the zip and the image. `bom` completes their bills of materials.
4. `stack`: the stack with its secrets and its bucket, and what outlives it. `emulator` adds what emulators leave out.
   `fleet` has the stacks of runners on ECS.
5. `api` makes the first project. `smoke_test` has runs that show that the stage works.
"""
