import sys
print([m for m in sys.modules if "sandbox" in m or "jail" in m or m == "template"])
