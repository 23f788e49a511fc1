local function f()
  error("broken")
end
print("before")
f()
