import inspect
def f():
    return 1
print(inspect.getsource(f))
print(open(__file__).readline())
