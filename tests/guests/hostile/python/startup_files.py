# expect: AC
# attack: T7 T31 startup_files: leaves modules that an interpreter would import at its start
# alone: its own box is nowhere that another run looks; there is no control to take away
import os
import subprocess
import sys

for name in ("sitecustomize.py", "usercustomize.py", "encodings.py", "os.py"):
    with open(name, "w") as stream:
        stream.write("print('ESCAPED', __name__)\n")
site = f".local/lib/python3.{sys.version_info.minor}/site-packages"
os.makedirs(site, exist_ok=True)
with open(f"{site}/planted.pth", "w") as stream:
    stream.write("import sys; sys.stdout.write('ESCAPED by a path file')\n")
# They may fool a child that it starts itself, but are nowhere that another run looks.
subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
