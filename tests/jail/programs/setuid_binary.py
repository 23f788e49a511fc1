# expect: AC
# attack: T22 runs a setuid program of the host; prints ESCAPED if it became root
import os
import subprocess

for path in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/newgrp", "/usr/bin/chsh"):
    if os.path.exists(path):
        subprocess.run([path, "--version"], capture_output=True, timeout=2)
for line in open("/proc/self/status"):
    if line.startswith(("Uid", "CapEff")) and any(int(word, 16) == 0 for word in line.split()[1:]) and line.startswith("Uid"):
        print("ESCAPED", line)
