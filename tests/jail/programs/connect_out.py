# expect: AC
# attack: T26 reaches any address; each try must fail at once with an errno
import socket
import time

begun = time.monotonic()
for family, address in (
    (socket.AF_INET, ("1.1.1.1", 80)), (socket.AF_INET, ("10.0.0.1", 80)), (socket.AF_INET, ("169.254.169.254", 80)),
    (socket.AF_INET, ("169.254.170.2", 80)), (socket.AF_INET, ("127.0.0.1", 4096)), (socket.AF_INET, ("127.0.0.1", 22)),
    (socket.AF_INET6, ("2606:4700:4700::1111", 80)), (socket.AF_INET6, ("::1", 4096)), (socket.AF_INET6, ("fe80::1", 80)),
):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as endpoint:
            try:
                endpoint.connect(address)
                endpoint.send(b"x")
            except OSError:
                continue
            print("ESCAPED", address, kind)
for family, kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_NETLINK, socket.SOCK_RAW), (socket.AF_VSOCK, socket.SOCK_STREAM), (socket.AF_ALG, socket.SOCK_SEQPACKET), (socket.AF_INET, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind)
    except OSError:
        continue
    print("ESCAPED socket family", family)
try:
    socket.getaddrinfo("example.com", 80)
    print("ESCAPED resolver")
except OSError:
    pass
if time.monotonic() - begun > 1:
    print("ESCAPED slow refusal")
