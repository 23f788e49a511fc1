"""User ids of guests, and how a process becomes one.

RLIMIT_NPROC counts per user id over the whole host, so every slot of every runner on a host has its own.
"""

import os

from sandbox_runtime.jail import syscalls

_FIRST_UID = 100_000  # above what distributions hand out to people and services
_SLOTS_PER_RUNNER = 64


def guest_uid(slot_index: int) -> int:
    """User and group id of a slot's guests: unique by runner pid and slot index. Raises ValueError past 64 slots."""
    if not 0 <= slot_index < _SLOTS_PER_RUNNER:
        raise ValueError(f"slot index must be 0 to {_SLOTS_PER_RUNNER - 1}")
    return _FIRST_UID + os.getpid() * _SLOTS_PER_RUNNER + slot_index


def become_guest(uid: int) -> None:
    """Drop to `uid`, for good. Leaving user id 0 empties the permitted and effective sets, capabilities(7)."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)
