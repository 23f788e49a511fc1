import subprocess, sys
print(subprocess.run([sys.executable, "-c", "print(6)"], capture_output=True, text=True))
