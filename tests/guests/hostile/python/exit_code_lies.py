# expect: PLE
# attack: T8 exit_code_lies: was refused a fork and ends with the code of an out-of-memory kill
# control: process_limit
import os
import signal

try:
    for _ in range(60):
        if os.fork() == 0:
            signal.pause()
except OSError:
    os._exit(137)
print("ESCAPED has 60 children")
