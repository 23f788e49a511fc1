import ctypes, os
libc = ctypes.CDLL(None)
queue = libc.inotify_init1(0)
shared = (b"/usr/bin", b"/usr/bin/env", b"/dev/null", b"/dev")
places = [place for place in shared if libc.inotify_add_watch(queue, place, 0x2F) >= 0]
print("watches", len(places), flush=True)
libc.prctl(15, b"neighbour")
while queue >= 0:
    print("ESCAPED", os.read(queue, 4096), flush=True)
import signal
signal.pause()
