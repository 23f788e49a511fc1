"""The controls that contain a guest.

1. `mounts`: its file system; `own_inodes` and `outer_root` serve it.
2. `identity` and `user_namespace`: its user, and the rights of the set-up.
3. `rlimits` and `cgroup`: its limits.
4. `seccomp`: its system calls.
"""
