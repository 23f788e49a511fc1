# expect: AC
# attack: T1 T2 planted_links: replaces its own files and the names that the host writes with links out of the box
# control: read_only_root
import os

os.unlink("solution.py")
os.symlink("/etc/passwd", "solution.py")
os.symlink("/", "stdin")
os.mkfifo("artifact")
for attempt in (
    lambda: os.link("/usr/bin/env", "env"),
    lambda: os.rename("/box", "/tmp/box"),
    lambda: os.rmdir("/box"),
    lambda: os.symlink("/", "/box/../planted"),
):
    try:
        attempt()
    except OSError:
        continue
    print("ESCAPED replaced what is the host's")
