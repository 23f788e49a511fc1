# expect: AC
# attack: T11 orphan_holds_stdout: a grandchild in a session of its own keeps the output open after the end
# control: pid_namespace
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
print("done", flush=True)
