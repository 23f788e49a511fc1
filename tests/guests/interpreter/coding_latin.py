# -*- coding: latin-1 -*-
print("äöü", len("äöü"))
raise ValueError("ä")
