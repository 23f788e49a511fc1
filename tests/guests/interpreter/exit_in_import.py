open("leaves.py", "w").write("import sys\nprint('leaving')\nsys.exit(12)\n")
import leaves
print("not reached")
