import os
print(os.environ.get("GREETING", "none"), os.environ["PATH"])
