import sys
print(repr(sys.stdin.readline()))
print(repr(input()))
for line in sys.stdin:
    print(repr(line))
print(repr(sys.stdin.readline()))
