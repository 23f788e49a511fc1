"""Runners of other hosts that take work from this machine.

1. `listener` has the address and the certificate. `listener_process` serves it, in a process with neither the file nor
   the keys, and knows the tokens there.
2. `remote_runner` is the command on the other host.
"""
