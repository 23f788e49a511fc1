"""The user ids of guests, of init, of the egress proxy and of the relays, and how a process changes to them.

RLIMIT_NPROC counts the processes of a user id on the whole host. So each slot of each runner has its own user id.
"""

import os

from sandbox_runtime.jail import syscalls

_FIRST_UID = 100_000  # above the ids that distributions give to people and services
_SLOTS_PER_RUNNER = 64
_RUNNERS = 1 << 25  # the last user id stays below 2**31 + _FIRST_UID
_PROXY_UIDS_BEGIN = 5 << 29  # above every guest's
_RELAY_UIDS_BEGIN = (5 << 29) + (1 << 28)  # above every proxy's
_INIT_UIDS_BEGIN = 3 << 30  # above every relay's
_SPREAD = 2_654_435_761  # Knuth's multiplicative hash, because inode numbers of namespaces lie close together


def _runner_number() -> int:
    """Number this process. A pid is unique in its pid namespace, whose inode is unique on the host."""
    return (os.stat("/proc/self/ns/pid").st_ino * _SPREAD + os.getpid()) % _RUNNERS


def guest_uid(slot_index: int) -> int:
    """Return the user and group id of a slot's guests, unique by runner and slot. Raises ValueError past 64 slots."""
    if not 0 <= slot_index < _SLOTS_PER_RUNNER:
        raise ValueError(f"slot index must be 0 to {_SLOTS_PER_RUNNER - 1}")
    return _FIRST_UID + _runner_number() * _SLOTS_PER_RUNNER + slot_index


def become_guest(uid: int) -> None:
    """Become user `uid` for good. Leaving user id 0 empties the permitted and effective sets, capabilities(7)."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)


def init_uid(guest: int) -> int:
    """Return the user and group id of a slot's init, which differs from root's and from the guests'."""
    return _INIT_UIDS_BEGIN + (guest - _FIRST_UID) % (1 << 29)


def proxy_uid() -> int:
    """Return the user and group id of this runner's egress proxy, which no jail uses."""
    return _PROXY_UIDS_BEGIN + _runner_number()


def relay_uid() -> int:
    """Return the user and group id of this runner's relays of secrets, which no jail and no proxy uses."""
    return _RELAY_UIDS_BEGIN + _runner_number()


def become_init(guest: int) -> None:
    """Give up all rights.

    Init is neither root nor the guest's user. So the guest cannot signal it, and it owns no file of the host.
    """
    uid = init_uid(guest)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    syscalls.keep_capabilities(())
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)
