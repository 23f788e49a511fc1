import os
os.environ["FORCE_COLOR"] = "1"
1 / 0
