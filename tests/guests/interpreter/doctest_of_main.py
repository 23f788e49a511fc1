"""
>>> double(21)
43
"""
import doctest
def double(n): return n * 2
print(doctest.testmod())
