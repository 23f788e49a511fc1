kept = []
for _ in range(20):
    s = socket.socket()
    s.connect((address, PORT))
    kept.append(s)
print("refused", True)
