"""A process that may make some calls only, and opens neither the file nor the keys.

In the order of a call:

1. `process` starts a Python module whose botocore calls go to a socket.
2. `protocol` has the messages, and the client that sends a call there.
3. `socket_server` answers it, if the policy allows the call.
"""
