# expect: TLE
# attack: T12 stop_itself: stops, and is continued by a child after the limit
# control: wall_limit
import os
import signal
import time

parent = os.getpid()
if os.fork() == 0:
    time.sleep(1.2)
    os.kill(parent, signal.SIGCONT)
    os._exit(0)
os.kill(parent, signal.SIGSTOP)
print("ESCAPED was stopped for 1.2 s")
