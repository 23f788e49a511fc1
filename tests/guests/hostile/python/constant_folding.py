# expect: MLE TLE RE
# attack: T20 constant_folding: a short source that the interpreter's compiler makes large
# control: memory_limit
source = "value = (" + ", ".join("'%d' * 800" % number for number in range(10_000, 70_000)) + ")"
exec(source)
print("ESCAPED compiled", len(value), "texts")
