import sys
sys.stdin.reconfigure(encoding="ascii")
print(input())
print(input())
