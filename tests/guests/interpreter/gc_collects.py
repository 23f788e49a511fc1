import gc, weakref
class Node: pass
a = Node()
a.me = a
r = weakref.ref(a)
del a
gc.collect()
print(r())
