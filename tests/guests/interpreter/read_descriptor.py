import os
print(os.read(0, 5))
import sys
print(sys.stdin.readline())
