"""The process of the egress proxy. It runs one thread, and its loop gives each run one event in turn.

`server`         start: read the settings, confine the process (user, root, capabilities, system calls); then the loop,
                 with the requests of the runner
`run`            one run: its listeners, names, connections, and their limits
`record`         what the evidence of a run will say
`name_service`   the names of a run, their addresses in the pool, and the answers to queries of programs
`target`         from a name and port to a connected socket: the real addresses of a name, from the resolvers of the
                 host, and which of them may be connected to
`connection`     copies between a program and its target
`sockets`        the sockets of a run that wait for an event, and how they are closed
"""
