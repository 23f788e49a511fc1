def f(n):
    return g(n) + 1
def g(n):
    return 10 // n
print("before")
f(0)
