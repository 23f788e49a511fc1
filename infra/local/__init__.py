"""The whole system on one machine, from the same `template.yaml`, without Docker or an account.

In the order of a start:

1. `__main__` reads the command, `settings` the variables.
2. `processes`: checks the host, prepares, loads, forks and watches the processes of the stack.
3. `translation` makes CloudFormation of template.yaml, `template` typed values of that.
4. `embedded_aws`: the engine, to which it leads boto3. `processes.loading` makes the template's resources in it.
5. `http`: the template's routes. `triggers`, `stream_mappings`: its queues, schedules and streams. All call `invoker`.
6. `state`: the administrator's key, backups, and the version of the state. `export`: a file for `make import`.
"""
