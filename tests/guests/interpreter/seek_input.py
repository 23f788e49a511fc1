import sys
print(sys.stdin.readline(), end="")
sys.stdin.seek(0)
print(sys.stdin.readline(), end="")
