import errno
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1, 5_000):
    try: s.sendto(b"x", (address, port))
    except ConnectionRefusedError: pass
print("refused", True)
