"""Network by name: a run reaches the hosts that its request names, and nothing else. docs/network.md explains it.

`namespace_maker` makes a network namespace for each run, with listening sockets for the allowed hosts.
`proxy` serves these sockets from outside the jail: it answers name look-ups, connects to the hosts, and copies.
`run_networks` brings both together for the runs of a runner. `support` tries whether this host can do it.
"""

from sandbox_runtime.network.model import AllowedHost, NetworkError, NetworkEvidence
from sandbox_runtime.network.run_networks import RunNetwork, RunNetworks, network_problem

__all__ = ["AllowedHost", "NetworkError", "NetworkEvidence", "RunNetwork", "RunNetworks", "network_problem"]
