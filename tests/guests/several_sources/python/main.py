from shapes import area
from pack.deep import one
print(area(6, 7 * one))
