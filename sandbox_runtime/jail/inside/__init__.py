"""Code that runs inside the jail, in the order of a run.

1. `template` forks the runs. It drops what it `inherited`, and makes the `next_namespaces` in advance.
2. `init`, or `small_init` in C, is process 1. `set_up` are the steps as root: mounts and files.
3. `program` is the guest's process until exec.
"""
