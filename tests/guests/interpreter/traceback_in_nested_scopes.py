class A:
    @property
    def value(self): return [(lambda n: 1 / n)(n) for n in (1, 0)]
print(A().value)
