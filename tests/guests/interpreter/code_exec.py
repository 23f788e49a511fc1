exec("a = 1; print(a, __name__)")
print(eval("a + 1"))
import code
print(code.compile_command("x = 1") is not None)
