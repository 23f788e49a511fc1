"""A process that may make some calls only, and opens neither the file nor the keys.

In the order of a call:

1. `process` starts a Python module whose botocore calls go to a socket.
2. `protocol` has the messages, and the client that sends a call there.
3. `socket_server` answers it, if the policy allows the call.

Such a process may be on another host, with its socket led through TLS. Neither end opens the file or the keys:

4. `tunnel_wire` has TLS (a certificate on the server's side, a pin or an authority on the client's), the frames, the
   first frame of each connection, with a token, and its answer; and the client, which runs beside that process.
5. `tunnel_server` takes connections, and leads their calls to the socket of the engine. `tunnel_clients` follows the
   connected ones, and bounds connections without a token and the bytes under way.
"""
