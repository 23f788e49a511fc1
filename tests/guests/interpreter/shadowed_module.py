open("token.py", "w").write("value = 1\n")
import os
print(os.path.exists("token.py"))
