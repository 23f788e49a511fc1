print(sorted(globals()))
print(type(__loader__).__name__, __annotations__)
