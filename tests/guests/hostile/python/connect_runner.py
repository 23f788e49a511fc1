# expect: AC
# attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
# control: network_namespace
import socket

port = int(input().split()[0])
for address in ("127.0.0.1", "localhost", "0.0.0.0"):
    try:
        socket.create_connection((address, port), timeout=2)
    except OSError:
        continue
    print("ESCAPED connected to", address)
