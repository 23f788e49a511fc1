reached = []
for port in range(1, 5_000):
    with socket.socket() as s:
        s.settimeout(5)
        if s.connect_ex((address, port)) == 0: reached.append(port)
print("refused", set(reached) <= {PORT})
