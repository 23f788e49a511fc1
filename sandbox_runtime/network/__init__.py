"""Network by name: a run reaches the hosts that its request names, and nothing else. docs/network.md explains it.

`namespace_maker` makes a network namespace for each run, with listening sockets for the allowed hosts.
`proxy` serves these sockets from outside the jail: it answers name look-ups, connects to the hosts, and copies.
"""
