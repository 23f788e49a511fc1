reached = 0
for number in range(2, 5_000):
    with socket.socket() as s:
        s.settimeout(5)
        reached += s.connect_ex((f"198.18.{number >> 8}.{number & 255}", PORT)) == 0
print("refused", reached == 0)
