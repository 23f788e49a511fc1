class Del:
    def __init__(self, n): self.n = n
    def __del__(self): print("del", self.n)
a = Del("a")
b = Del("b")
_c = Del("_c")
del a
print("end")
