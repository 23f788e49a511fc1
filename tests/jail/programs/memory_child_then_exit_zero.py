# expect: MLE
# attack: T16 only a child is killed by the kernel, and the parent hides it behind exit code 0
import os
import time

if os.fork() == 0:
    data = bytearray(1 << 30)
os.wait()
time.sleep(1)
