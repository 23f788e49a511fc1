import socket
kept, sent = [], 0
while sent < 110 << 20:
    a, b = socket.socketpair()
    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    a.setblocking(False)
    try:
        while True:
            sent += a.send(bytes(4096))
    except BlockingIOError:
        pass
    kept.append((a, b))
