import math
print(math.flor(1))
