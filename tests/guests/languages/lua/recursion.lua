local function f(n) return f(n + 1) + 1 end
print("before")
print(f(0))
