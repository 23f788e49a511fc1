# expect: AC
# attack: T29 environment: looks for credentials in its own environment and in that of process 1
# control: clean_environment
import os

for key, value in os.environ.items():
    # The last five come with data packages.
    packages = ("PYTHONPATH", "MPLBACKEND", "MPLCONFIGDIR", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    if key not in {"PATH", "HOME", "LANG", "LC_CTYPE", *packages}:
        print("ESCAPED found", key, value)
with open("/proc/self/environ", "rb") as stream:
    if any(word in stream.read() for word in (b"AWS", b"TOKEN", b"SECRET", b"KEY")):
        print("ESCAPED found a secret")
try:
    print("ESCAPED", open("/proc/1/environ", "rb").read())
except OSError:
    pass
