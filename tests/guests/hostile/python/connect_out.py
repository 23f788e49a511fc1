# expect: AC
# attack: T26 connect_out: reaches for any address; each try must fail at once with an errno
# control: unreachable_network
import socket
import time

begun = time.monotonic()
for family, address in (
    (socket.AF_INET, "1.1.1.1"), (socket.AF_INET, "10.0.0.1"), (socket.AF_INET, "192.168.1.1"),
    (socket.AF_INET, "169.254.169.254"), (socket.AF_INET, "169.254.170.2"), (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET6, "2606:4700:4700::1111"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "fd00:ec2::254"),
):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as endpoint:
            try:
                endpoint.connect((address, 80))
                endpoint.send(b"x")
            except ConnectionRefusedError:
                pass
            except OSError:
                continue
            print("ESCAPED reached", address)
if time.monotonic() - begun > 2:
    print("ESCAPED a refusal took its time")
