import runpy
open("other.py", "w").write("print(__name__, __file__)")
runpy.run_path("other.py", run_name="__main__")
