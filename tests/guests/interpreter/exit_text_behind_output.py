import sys

sys.stdout = open(2, "w", buffering=1 << 16, closefd=False)
print("first")
sys.exit("last")
