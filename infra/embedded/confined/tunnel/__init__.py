"""A confined process on another host: its socket, led through TLS.

In the order of a call:

1. `client` runs beside that process. It offers the socket, and connects to the server.
2. `tls` encrypts: a certificate on the server's side, a pin or an authority on the client's. `wire` has the frames.
3. `greeting` is the first frame of each connection, with a token, and its answer.
4. `server` takes connections, and leads their calls to the socket of the engine. `connections` bounds those without a
   token, `clients` follows those that have one, `budget` bounds the bytes under way.

Neither end opens the engine's file or its keys.
"""
