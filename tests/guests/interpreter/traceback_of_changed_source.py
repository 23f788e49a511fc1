import linecache
open(__file__, "w").write("\n".join(f"changed line {n}" for n in range(9)))
linecache.checkcache()
raise ValueError("which line is shown?")
