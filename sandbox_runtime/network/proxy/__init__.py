"""The egress proxy: a process outside the jail that serves the sockets of runs with network.

`client`    in the runner: starts the process, opens and closes runs
`messages`  between the two
`settings`  limits, resolvers, the host's loopback in development; counts of bytes
`process`   the process itself; nothing in the runner imports it
"""

from sandbox_runtime.network.proxy.client import EgressProxy
from sandbox_runtime.network.proxy.settings import ProxySettings, RunLimits, proxy_settings

__all__ = ["EgressProxy", "ProxySettings", "RunLimits", "proxy_settings"]
