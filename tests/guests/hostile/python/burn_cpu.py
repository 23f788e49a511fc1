# expect: TLE
# attack: T9 T17 burn_cpu: computes without end, deaf to SIGXCPU and SIGTERM
# control: cpu_limit
import signal
import time

signal.signal(signal.SIGXCPU, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while time.process_time() < 0.7:
    pass
print("ESCAPED burnt 0.7 s of CPU time")
