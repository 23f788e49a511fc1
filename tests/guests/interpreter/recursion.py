import sys
print(sys.getrecursionlimit())
d = 0
def f():
    global d
    d += 1
    f()
try:
    f()
except RecursionError as e:
    print(d, e)
