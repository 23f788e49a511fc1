# expect: AC
# attack: writes where it must not; prints ESCAPED for each success
import os

for path in ("/usr/bin/x", "/etc/x", "/x", "/dev/x", "/proc/1/oom_score_adj", "/proc/self/oom_score_adj", "/lib/x", "/old/x", "/proc/sys/kernel/core_pattern"):
    try:
        with open(path, "w") as stream:
            stream.write("-1")
    except OSError:
        continue
    print("ESCAPED", path)
for call in (lambda: os.chroot("/tmp"), lambda: os.setuid(0), lambda: os.mknod("dev", 0o20666, os.makedev(1, 1)), lambda: os.link("/usr/bin/env", "env"), lambda: os.setgroups([0]), lambda: os.nice(-5)):
    try:
        call()
    except OSError:
        continue
    print("ESCAPED call")
