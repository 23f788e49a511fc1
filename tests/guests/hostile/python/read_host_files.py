# expect: AC
# attack: T5 read_host_files: reads what is the host's
# control: mount_namespace
import os

for path in (
    "/etc/passwd", "/etc/shadow", "/etc/hostname", "/root", "/home", "/var/lib", "/run",
    "/sys/kernel", "/boot", "/old", "/proc/1/environ", "/proc/1/root", "/proc/1/cwd", "/proc/mounts/../../1/cwd",
    "/dev/mem", "/dev/kmsg", "/dev/vda", "/var/run/docker.sock",
):
    try:
        found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(10)
    except OSError:
        continue
    if found:
        print("ESCAPED", path, found)
