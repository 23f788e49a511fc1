def f(n): return f(n + 1) + 1
print('before')
print(f(0))