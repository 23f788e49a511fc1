import fcntl, os, select
KINDS = {
    "eventfd": os.eventfd(0),
    "epoll": select.epoll(),
    "user namespace": os.open("/proc/self/ns/user", os.O_RDONLY),
    "/usr/bin/true": os.open("/usr/bin/true", os.O_RDONLY),
    "own": os.open("/tmp/own", os.O_RDWR | os.O_CREAT),
}
for name, kept in KINDS.items():
    try:
        fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("taken", name)
