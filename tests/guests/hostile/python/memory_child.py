# expect: MLE
# attack: T16 memory_child: only a child is killed by the kernel, and the parent hides it behind exit code 0
# control: memory_limit
import os
import time

if os.fork() == 0:
    data = bytearray(b"x") * (320 << 20)
    os._exit(0)
if os.wait()[1] == 0:
    print("ESCAPED a child held 320 MiB")
time.sleep(1)
