"""Make a network namespace with listening sockets for each run with network.

`NamespaceMaker` is the client in the runner. The maker itself is one single-threaded process with a clean environment,
which the runner starts by exec. For each run a child of it unshares a user and a net namespace, raises `lo`, adds the
route, opens the sockets, and hands all of them over. The child has all capabilities there, and none over the host. So
the runner needs no new capability. The template enters the namespace with setns(2): see `JailSpec.net_namespace`.
"""

from sandbox_runtime.network.namespace_maker.maker import MadeNamespace, NamespaceMaker

__all__ = ["MadeNamespace", "NamespaceMaker"]
