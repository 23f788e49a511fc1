# expect: AC
# attack: T21 T26 socket_families: every address family beside those of the network and of Unix
# control: seccomp
import socket

for family in range(2, 46):
    if family in (socket.AF_INET, socket.AF_INET6):
        continue
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind)
        except OSError:
            continue
        print("ESCAPED has a socket of family", family)
