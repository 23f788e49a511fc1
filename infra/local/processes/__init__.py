"""The processes of the stack, in the order of a start.

1. `launcher` starts everything. Its preparation is quick and has what the runner needs, `loading` is the slow part.
2. `child_processes` forks the processes, replaces those that die, and stops them.
3. `runner_process`, `functions_process` and `background_process` are the processes. `first_run` runs in the last, and
   shows that all works.
4. `listener_process` is one more, if runners of other hosts may join: it has neither the file nor the keys.
   `remote_runner` is the command on the other host.
"""
