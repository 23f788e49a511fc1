import os
for family, address in PLACES:
    try:
        with socket.socket(family) as client:
            client.connect(address)
            print("ESCAPED", address, client.recv(100))
    except OSError:
        pass
for path in ("/dev/shm/neighbour", "/tmp/neighbour"):
    if os.path.exists(path):
        print("ESCAPED", path)
for pid in range(1, 400):
    try:
        if open(f"/proc/{pid}/comm").read() == "neighbour\n":
            print("ESCAPED", pid)
    except OSError:
        pass
