"""A confined process on another host: its socket, led through TLS.

In the order of a call:

1. `client` runs beside that process. It offers the socket, and connects to the server.
2. `wire` has TLS (a certificate on the server's side, a pin or an authority on the client's), the frames, and the first
   frame of each connection, with a token, and its answer.
3. `server` takes connections, and leads their calls to the socket of the engine. `clients` follows the connected ones,
   and bounds connections without a token and the bytes under way.

Neither end opens the engine's file or its keys.
"""
