"""Code that runs inside the jail, in the order of a run.

1. `template` forks the runs. It makes the `NextNamespaces` in advance.
2. `init`, or `small_init` in C, is process 1.
3. `program` is the guest's process until exec: the steps as root (mounts and files), then the loss of all rights.
"""
