# expect: TLE
# attack: T17 burn_cpu_children: three children share the work, so that none of them passes the limit alone
# control: cpu_limit
import os
import time

for _ in range(3):
    if os.fork() == 0:
        while time.process_time() < 0.24:
            pass
        os._exit(0)
for _ in range(3):
    os.wait()
print("ESCAPED children burnt 0.7 s of CPU time")
