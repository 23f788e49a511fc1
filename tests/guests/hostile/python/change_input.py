# expect: AC
# attack: T31 change_input: writes to its own input, which the host still holds
# control: sealed_input
import os

for attempt in (
    lambda: os.write(os.open("/proc/self/fd/0", os.O_WRONLY), b"changed"),
    lambda: os.ftruncate(0, 0),
    lambda: os.truncate("/proc/self/fd/0", 0),
):
    try:
        attempt()
    except OSError:
        continue
    print("ESCAPED changed its input")
