"""The controls that contain a guest.

1. `mounts`: its file system; `own_inodes` serves it.
2. `identity`: its user.
3. `rlimits` and `cgroup`: its limits.
4. `seccomp`: its system calls.
"""
