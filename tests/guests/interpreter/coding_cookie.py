# -*- coding: latin-1 -*-
print(len("ab"))
