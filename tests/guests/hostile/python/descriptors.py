# expect: AC
# attack: T23 descriptors: looks for descriptors that the jail forgot to close
# control: closed_descriptors
import os

for name in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        continue
    if int(name) > 2 and not target.endswith("/fd"):
        print("ESCAPED was given", name, target)
