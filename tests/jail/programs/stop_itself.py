# expect: TLE
# attack: T12 stops itself and its group
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
