for _ in range(10_000):
    s = socket.socket()
    s.settimeout(5)
    try: s.connect((address, PORT))
    except OSError as error: refused[type(error).__name__] += 1
    s.close()
print("refused", sum(refused.values()) > 9_000)
