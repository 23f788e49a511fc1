# expect: SIG
# attack: T9 kill_everything: kills init and every process that it can see, itself last
# alone: without a pid namespace it would end the host's processes
import os
import signal

for pid in (1, -1, 0):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        continue
os.kill(os.getpid(), signal.SIGKILL)
