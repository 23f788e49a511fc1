"""What is done to a template process so that one control is off. Each change runs in the template, before any guest.

A change replaces a function or a constant of the jail by name. A name that is gone is an AttributeError, which ends
the template: a change that no longer takes effect cannot pass for one that does.

None of them gives a guest more than it needs to show that the control was off. What the host must be kept safe from
is said at each.
"""

import fcntl
import functools
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox_runtime.jail import identity, init, mounts, program, rlimits, syscalls, template
from sandbox_runtime.jail.seccomp.filter import Program
from sandbox_runtime.jail.spec import Limits

Settings = dict[str, Any]
MountCall = tuple[str, str, str | None, int, str]

_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAP_CHOWN, _CAP_NET_BIND_SERVICE, _CAP_NET_RAW, _CAP_SYS_NICE, _CAP_MKNOD = 0, 10, 13, 23, 27
_CAP_NET_ADMIN = 12
_HARMLESS = (_CAP_CHOWN, _CAP_NET_BIND_SERVICE, _CAP_NET_RAW, _CAP_SYS_NICE, _CAP_MKNOD)
_MIB = 1 << 20
# Far above the real ones, and bounded.
_RAISED = {
    resource.RLIMIT_FSIZE: 64 * _MIB,
    resource.RLIMIT_CORE: 64 * _MIB,
    resource.RLIMIT_NOFILE: 512,
    resource.RLIMIT_NPROC: 2048,
    resource.RLIMIT_MSGQUEUE: _MIB // 2,
    resource.RLIMIT_MEMLOCK: 4 * _MIB,
}


def _wrap(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    setattr(owner, name, make(getattr(owner, name)))


def _after(owner: object, name: str, action: Callable[[], None]) -> None:
    """Do something right after a function of the jail."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*arguments: Any, **options: Any) -> Any:
            result = original(*arguments, **options)
            action()
            return result

        return call

    _wrap(owner, name, make)


def _edit_mounts(edit: Callable[[MountCall], MountCall | None]) -> None:
    """See every mount call; None leaves it out."""

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
            edited = edit((source, target, kind, flags, data))
            if edited is not None:
                original(*edited)

        return mount

    _wrap(syscalls, "mount", make)


def _share(flag: int) -> None:
    template._NAMESPACES &= ~flag


# --- namespaces ---


def no_mount_namespace(_: Settings) -> None:
    """The host's trees beside the guest's own. Read-only, without devices or setuid: a guest cannot change the host."""

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def lay_out(root: Path, host_root: Path) -> None:
            original(root, host_root)
            own = {"proc", "sys", "dev", "tmp", "opt", *(path.name for path in root.iterdir())} - {"etc"}
            for tree in host_root.iterdir():
                if tree.name not in own and tree.is_dir() and not tree.is_symlink():
                    mounts._bind(tree, root / tree.name, syscalls.MS_RDONLY | syscalls.MS_NODEV)

        return lay_out

    _wrap(mounts, "_lay_out_system", make)


def no_network_namespace(_: Settings) -> None:
    """The host's own network. Programs against this control may only use the loopback."""
    _share(syscalls.CLONE_NEWNET)


def no_ipc_namespace(_: Settings) -> None:
    """The host's own System V objects. Programs against this control look for one object and make none."""
    _share(syscalls.CLONE_NEWIPC)


def no_pid_namespace(settings: Settings) -> None:
    """One pid namespace of the template and all of its runs. Not the host's: init kills everything that it sees."""
    os.unshare(os.CLONE_NEWPID)
    inner = os.fork()
    if inner:
        os.close(settings["control_fd"])
        _, status = os.waitpid(inner, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    syscalls.prctl("set parent death signal", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.fork() == 0:  # somebody else's process, for guests to find
        os.close(settings["control_fd"])
        signal.pause()
        os._exit(0)
    _share(syscalls.CLONE_NEWPID)


def no_uts_namespace(_: Settings) -> None:
    """One host name of the template and its runs. Not the host's, which init would rename."""
    os.unshare(os.CLONE_NEWUTS)
    socket.sethostname("name-of-the-host")
    _share(syscalls.CLONE_NEWUTS)
    _wrap(socket, "sethostname", lambda _: lambda _: None)


def no_cgroup_namespace(_: Settings) -> None:
    """The groups' real paths are seen; nothing can be written, for no cgroup file system is mounted."""

    def make(original: Callable[[int], None]) -> Callable[[int], None]:
        def unshare(flags: int) -> None:
            if flags != os.CLONE_NEWCGROUP:
                original(flags)

        return unshare

    _wrap(program.os, "unshare", make)  # type: ignore[attr-defined] # what the jail's module imported


def _open_network() -> None:
    """Make all addresses local ones: everything can be reached, and nothing leaves the namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        set_interface_flags, up = 0x8914, 1
        fcntl.ioctl(endpoint, set_interface_flags, struct.pack("16sH14x", b"lo", up))
    new_route, request_create_ack = 24, 0x1 | 0x400 | 0x4
    table_local, protocol_static, scope_host, kind_local, out_interface, loopback = 255, 4, 254, 2, 4, 1
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        for family in (socket.AF_INET, socket.AF_INET6):
            route = struct.pack("=8BI", family, 0, 0, 0, table_local, protocol_static, scope_host, kind_local, 0)
            route += struct.pack("=HHI", 8, out_interface, loopback)
            kernel.send(struct.pack("=IHHII", 16 + len(route), new_route, request_create_ack, 1, 0) + route)
            (error,) = struct.unpack_from("=i", kernel.recv(4096), 16)
            if error:
                raise OSError(-error, os.strerror(-error))


def reachable_network(_: Settings) -> None:
    """A network namespace of the run's own, in which every address answers. No packet can leave it."""
    _after(mounts, "mount_private", _open_network)


# --- identity ---


def no_unprivileged_user(settings: Settings) -> None:
    """User and group 0, still without any capability, without the host's files, in the other namespaces."""
    settings["uid"] = 0
    _after(identity, "become_guest", lambda: syscalls.keep_capabilities(()))


def _set_capabilities(kept: tuple[int, ...]) -> None:
    mask = sum(1 << capability for capability in kept)
    header = syscalls._CapHeader(0x20080522, 0)
    data = (syscalls._CapData * 2)(syscalls._CapData(mask, mask, mask), syscalls._CapData(0, 0, 0))
    syscalls._check(syscalls._libc.capset(syscalls.ctypes.byref(header), syscalls.ctypes.byref(data)), "capset")  # type: ignore[attr-defined] # what the jail's module imported
    for capability in kept:
        syscalls.prctl("raise ambient capability", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def no_no_capabilities(_: Settings) -> None:
    """Five capabilities that reach no further than the run's own mounts, network and processes."""
    _wrap(syscalls, "drop_bounding_set", lambda _: lambda: None)

    def make(original: Callable[[int], None]) -> Callable[[int], None]:
        def become_guest(uid: int) -> None:
            syscalls.prctl("keep capabilities", _PR_SET_KEEPCAPS, 1)
            original(uid)
            _set_capabilities(_HARMLESS)

        return become_guest

    _wrap(identity, "become_guest", make)


def no_no_new_privileges(_: Settings) -> None:
    """The attribute is not set. Every mount is nosuid and the bounding set is empty, so no privilege is in reach.

    Without it only a privileged process may load a filter: the filter goes first, then the user id.
    """

    def become_guest(uid: int) -> None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        load(waiting[0])
        os.setresuid(uid, uid, uid)

    waiting: list[Program] = []
    load = Program.load
    _wrap(identity, "become_guest", lambda _: become_guest)
    _wrap(Program, "load", lambda _: lambda _: None)

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def become_program(*arguments: Any, **options: Any) -> None:
            waiting.extend(part for part in (*arguments, *options.values()) if isinstance(part, Program))
            original(*arguments, **options)

        return become_program

    _wrap(program, "become_program", make)


def no_seccomp(_: Settings) -> None:
    """No filter: the kernel itself still refuses an unprivileged user what is privileged."""
    _wrap(Program, "load", lambda _: lambda _: None)


# --- files ---


def no_read_only_root(_: Settings) -> None:
    """The slot's own root can be written. The host's trees in it are mounts of their own and stay read-only."""

    def edit(call: MountCall) -> MountCall | None:
        _, target, _, flags, _ = call
        if target == "/" and flags & syscalls.MS_REMOUNT and flags & syscalls.MS_RDONLY:
            for directory in ("/", "/etc", "/dev"):
                Path(directory).chmod(0o1777)
            return None
        return call

    _edit_mounts(edit)


def no_private_mounts(_: Settings) -> None:
    """One /tmp and one /dev/shm for all runs of the slot."""

    def mount_shared() -> None:
        for target in ("/tmp", "/dev/shm"):
            syscalls.mount("shared", target, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=1777,size=8m")

    _after(mounts, "enter_guest_root", mount_shared)
    _edit_mounts(lambda call: None if call[0] in {"tmp", "shm"} else call)


def no_proc_subset(_: Settings) -> None:
    """All of /proc, of the run's own pid namespace, as an unprivileged user without capabilities sees it."""
    _edit_mounts(lambda call: (*call[:4], "") if call[2] == "proc" else call)


def no_noexec_mounts(_: Settings) -> None:
    """Programs may be started from /tmp and /dev/shm."""
    writable = {"tmp", "shm"}
    _edit_mounts(lambda call: (*call[:3], call[3] & ~syscalls.MS_NOEXEC, call[4]) if call[0] in writable else call)


def no_inode_limit(_: Settings) -> None:
    """Many more inodes for each mount; the memory limit still bounds them."""
    _wrap(mounts, "_INODES_PER_MOUNT", lambda _: 1_000_000)


def no_closed_descriptors(_: Settings) -> None:
    """The guest is born with a descriptor of its own read-only root."""

    def leave_open() -> None:
        os.dup2(os.open("/", os.O_RDONLY), 9)

    _after(program, "_take_descriptors", leave_open)


def no_sealed_input(_: Settings) -> None:
    """Input that the guest can change: a copy in a file of memory without seals."""

    def replace_input() -> None:
        writable = os.memfd_create("stdin")
        os.write(writable, os.read(0, 4096))
        os.lseek(writable, 0, os.SEEK_SET)
        os.dup2(os.open(f"/proc/self/fd/{writable}", os.O_RDONLY), 0)

    _after(program, "_take_descriptors", replace_input)


# --- limits ---


def no_rlimits(_: Settings) -> None:
    """Bounded values far above the real ones; the groups still limit memory, processes and CPU time."""

    def apply(_: Limits) -> None:
        for kind, value in _RAISED.items():
            resource.setrlimit(kind, (value, value))

    _wrap(rlimits, "apply", lambda _: apply)


CHANGES: dict[str, Callable[[Settings], None]] = {
    "mount_namespace": no_mount_namespace,
    "network_namespace": no_network_namespace,
    "unreachable_network": reachable_network,
    "ipc_namespace": no_ipc_namespace,
    "pid_namespace": no_pid_namespace,
    "uts_namespace": no_uts_namespace,
    "cgroup_namespace": no_cgroup_namespace,
    "unprivileged_user": no_unprivileged_user,
    "no_capabilities": no_no_capabilities,
    "no_new_privileges": no_no_new_privileges,
    "seccomp": no_seccomp,
    "read_only_root": no_read_only_root,
    "private_mounts": no_private_mounts,
    "proc_subset": no_proc_subset,
    "noexec_mounts": no_noexec_mounts,
    "inode_limit": no_inode_limit,
    "closed_descriptors": no_closed_descriptors,
    "sealed_input": no_sealed_input,
    "rlimits": no_rlimits,
}


def obstacle(control: str) -> str:
    """Why this process, perhaps in a container, cannot make that change; "" if it can."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    capabilities = int(status["CapEff"], 16)
    needed = {"no_capabilities": _HARMLESS, "unreachable_network": (_CAP_NET_ADMIN,)}.get(control, ())
    if any(not capabilities >> capability & 1 for capability in needed):
        return "a capability is missing"
    if control == "seccomp" and status["Seccomp"] != "0":
        return "a filter of the container stays"
    if control == "rlimits" and any(0 <= resource.getrlimit(kind)[1] < value for kind, value in _RAISED.items()):
        return "a hard limit is lower"
    return ""


def main(control: str, arguments: str) -> None:
    """Be the template of a jail without `control`."""
    settings: Settings = template.json.loads(arguments)  # type: ignore[attr-defined] # what the jail's module imported
    CHANGES[control](settings)
    # The functions of the jail call one another through their modules, so the changes are in force now.
    assert init.mounts is mounts  # type: ignore[attr-defined] # what the jail's module imported
    template.main(template.json.dumps(settings))  # type: ignore[attr-defined] # what the jail's module imported
