local function f(n) return n == 0 and 0 or f(n - 1) + 1 end
print(f(50000))
