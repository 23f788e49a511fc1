"""The process of the egress proxy. It runs one thread, and its loop gives each run one event in turn.

`main`           start: read the settings, confine the process, serve
`confinement`    user, root directory, capabilities, limits, system calls
`server`         requests of the runner; the loop
`run`            one run: its listeners, names, connections, and their limits
`record`         what the evidence of a run will say
`names`          the names of a run and their addresses in the pool
`dns_answers`    one query of a program to one answer
`name_service`   the sockets that programs send their queries to
`look_up`        the real addresses of a name, from the resolvers of the host
`addresses`      which real addresses may be connected to
`target`         from a name and port to a connected socket
`connection`     copies between a program and its target
`poll`           the sockets of a run that wait for an event
"""
