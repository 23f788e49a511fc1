"""Programs of a hostile project that reach objects of the kernel which all tenants share (docs/threat-model.md)."""

_CROWD = """import fcntl, os, select, time
end = time.time() + {secs}
for _ in range(40):
    if os.fork() == 0:
        break
"""
PROGRAMS = {
    "flock flood": _CROWD
    + """kept = []
try:
    while True:
        kept.append(os.eventfd(0))
except OSError:
    pass
while time.time() < end:
    for one in kept:
        fcntl.flock(one, fcntl.LOCK_SH)
""",
    "queues of queues": _CROWD
    + """watched = select.epoll()
for _ in range(20):
    watched.register(os.eventfd(0), 0)
while time.time() < end:
    with select.epoll() as outer:
        outer.register(watched.fileno(), 0)
""",
}
