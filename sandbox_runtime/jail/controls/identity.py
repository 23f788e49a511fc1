"""User ids of guests and of init, and the change to them.

RLIMIT_NPROC counts per user id over the whole host, so every slot of every runner on a host has its own.
"""

import os

from sandbox_runtime.jail import syscalls

_FIRST_UID = 100_000  # above what distributions hand out to people and services
_SLOTS_PER_RUNNER = 64
_RUNNERS = 1 << 25  # the last user id stays below 2**31 + _FIRST_UID
_INIT_UIDS_BEGIN = 3 << 30  # above every guest's
_SPREAD = 2_654_435_761  # Knuth's multiplicative hash: inodes of namespaces are neighbours


def _runner_number() -> int:
    """Own number of this process: pids differ inside a pid namespace, and its inode tells containers apart."""
    return (os.stat("/proc/self/ns/pid").st_ino * _SPREAD + os.getpid()) % _RUNNERS


def guest_uid(slot_index: int) -> int:
    """User and group id of a slot's guests: unique by runner and slot index. Raises ValueError past 64 slots."""
    if not 0 <= slot_index < _SLOTS_PER_RUNNER:
        raise ValueError(f"slot index must be 0 to {_SLOTS_PER_RUNNER - 1}")
    return _FIRST_UID + _runner_number() * _SLOTS_PER_RUNNER + slot_index


def become_guest(uid: int) -> None:
    """Drop to `uid`, for good. Leaving user id 0 empties the permitted and effective sets, capabilities(7)."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)


def become_guest_in_user_namespace() -> None:
    """The one mapped id is the process's already; the namespace gave it all capabilities and a full bounding set."""
    syscalls.drop_bounding_set()
    syscalls.keep_capabilities(())
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)


def init_uid(guest: int) -> int:
    """User and group id of the init of a slot with these guests: neither root's nor theirs."""
    return _INIT_UIDS_BEGIN + (guest - _FIRST_UID) % (1 << 29)


def become_init(guest: int, *, in_user_namespace: bool) -> None:
    """Keep what init needs once the guest runs: to kill it, and to read the artifact whatever its mode.

    Init is neither root nor the guest's user, so the guest cannot touch it and it owns no file of the host. In a
    user namespace there is no second id to take.
    """
    if not in_user_namespace:
        uid = init_uid(guest)
        syscalls.prctl("keep capabilities", syscalls.PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    syscalls.keep_capabilities((syscalls.CAP_KILL, syscalls.CAP_DAC_READ_SEARCH))
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)
