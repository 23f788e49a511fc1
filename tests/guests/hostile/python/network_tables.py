# expect: AC
# attack: T26 T29 network_tables: learns the host's interfaces, neighbours and open ports
# control: network_namespace
import socket

for name in ("tcp", "tcp6", "udp", "unix", "route", "arp"):
    try:
        lines = open(f"/proc/self/net/{name}").readlines()[1:]
    except OSError:
        continue
    if lines:
        print("ESCAPED", name, "has", len(lines), "entries")
for index in range(1, 20):
    try:
        name = socket.if_indextoname(index)
    except OSError:
        continue
    if name != "lo":
        print("ESCAPED interface", name)
