# expect: MLE
# attack: T6 T16 fill /tmp and /dev/shm; their pages are the guest's memory
# RLIMIT_FSIZE is 1 MiB, so many files are needed
n = 0
while True:
    for place in ("/tmp", "/dev/shm", "."):
        with open(f"{place}/f{n}", "wb") as stream:
            stream.write(b"x" * (1 << 20))
    n += 1
