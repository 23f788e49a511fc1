# expect: RE
# attack: T6 inode exhaustion on every writable mount
n = 0
while True:
    for place in ("/tmp", "/dev/shm", "."):
        open(f"{place}/{n}", "w").close()
    n += 1
