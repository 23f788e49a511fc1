"""The whole system on one machine, from the same `template.yaml`, without Docker or an account.

In the order of a start:

1. `__main__` reads the command, `settings` the variables; `start_checks` checks the host.
2. `processes`: prepares, loads, forks and watches the processes of the stack. `first_run` shows that it works.
3. `declarations`: template.yaml as typed values.
4. `aws`: the embedded engine and the template's resources in it.
5. `http`: the template's routes. `triggers`: its queues' mappings, streams and schedules. Both call `invoker`.
6. `state`: the administrator's key, backups, export, and the version of the state.
"""
