"""Namespaces that are not a run's own. Every change says why the host stays safe."""

import fcntl
import os
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls import mounts, own_inodes
from sandbox_runtime.jail.inside import small_init
from sandbox_runtime.jail.inside.template import NextNamespaces
from tests.jail.weakened.patching import Settings, after, share_namespace, wrap


def no_mount_namespace(_: Settings) -> None:
    """The host's trees beside the guest's own. Read-only, without devices or setuid: a guest cannot change the host."""

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def lay_out(root: Path, host_root: Path, files: own_inodes.HostFiles) -> None:
            original(root, host_root, files)
            own = {"proc", "sys", "dev", "tmp", "opt", *(path.name for path in root.iterdir())} - {"etc"}
            for tree in host_root.iterdir():
                if tree.name not in own and tree.is_dir() and not tree.is_symlink():
                    (root / tree.name).mkdir(exist_ok=True)
                    own_inodes.bind(tree, root / tree.name, syscalls.MS_RDONLY | syscalls.MS_NODEV)

        return lay_out

    wrap(mounts, "_lay_out_system", make)


def no_network_namespace(_: Settings) -> None:
    """The host's own network. Programs against this control may only use the loopback."""
    share_namespace(syscalls.CLONE_NEWNET)
    wrap(NextNamespaces, "enter_network", lambda _: staticmethod(lambda _, flags: flags))


def no_ipc_namespace(_: Settings) -> None:
    """The host's own System V objects. Programs against this control look for one object and make none."""
    share_namespace(syscalls.CLONE_NEWIPC)


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
    share_namespace(syscalls.CLONE_NEWPID)
    # That one only waits for the second process of a namespace, whichever it is.
    wrap(small_init, "load", lambda _: lambda _: None)


def no_uts_namespace(_: Settings) -> None:
    """One host name of the template and its runs. Not the host's, which init would rename."""
    os.unshare(os.CLONE_NEWUTS)
    socket.sethostname("name-of-the-host")
    share_namespace(syscalls.CLONE_NEWUTS)
    wrap(socket, "sethostname", lambda _: lambda _: None)


def no_cgroup_namespace(_: Settings) -> None:
    """The groups' real paths are seen; nothing can be written, for no cgroup file system is mounted."""

    def make(original: Callable[[int], None]) -> Callable[[int], None]:
        def unshare(flags: int) -> None:
            if flags != os.CLONE_NEWCGROUP:
                original(flags)

        return unshare

    wrap(os, "unshare", make)


def reachable_network(_: Settings) -> None:
    """A network namespace of the run's own, in which every address answers. No packet can leave it."""
    after(mounts, "mount_private", make_all_addresses_local)


def make_all_addresses_local() -> None:
    """Make all addresses local ones, ip-route(8): `local default dev lo`."""
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
