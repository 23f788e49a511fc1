# expect: AC
# attack: T14 output_deaf: goes on after its output was cut, and counts how much it could still write
# alone: what it could write beyond the limit is seen by nobody, so it cannot tell
import os

written = 0
for _ in range(100):
    try:
        written += os.write(1, b"z" * 65536)
    except BrokenPipeError:
        continue
# Nobody reads what is written here; a pipe takes 64 KiB.
if written > (256 + 64 + 64) << 10:
    os._exit(1)
os.close(1)
