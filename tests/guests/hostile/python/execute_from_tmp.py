# expect: AC
# attack: T22 execute_from_tmp: starts a program that it wrote into a shared directory
# control: noexec_mounts
import shutil
import subprocess

for place in ("/tmp/copy", "/dev/shm/copy"):
    shutil.copy("/usr/bin/true", place)
    try:
        subprocess.run([place], check=True)
    except OSError:
        continue
    print("ESCAPED executed", place)
