import os
os.mkdir("package")
open("package/__init__.py", "w").write("from .inner import value\n")
open("package/inner.py", "w").write("from . import other\nvalue = other.value + 1\n")
open("package/other.py", "w").write("value = 41\n")
import package
print(package.value, package.__file__, package.__path__, package.inner.__package__)
