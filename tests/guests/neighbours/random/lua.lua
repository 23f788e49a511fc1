print(math.random(0))
print(tostring({}))
