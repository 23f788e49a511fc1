# expect: AC
# attack: reads what is the host's; prints ESCAPED for each success
import os

for path in (
    "/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc/hostname", "/root", "/home", "/proc/1/environ", "/proc/1/root",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/sys/kernel/hostname", "/proc/mounts/../../1/cwd", "/sys/kernel", "/var/lib", "/old",
    "/dev/mem", "/dev/kmsg", "/dev/vda", "/proc/kcore", "/proc/keys", "/run",
):
    try:
        found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(10)
    except OSError:
        continue
    if found:
        print("ESCAPED", path, found)
