local sum, pipes = 0, {}
for i = 0, 7 do pipes[i] = io.popen("echo " .. i) end
for i = 0, 7 do sum = sum + pipes[i]:read("n") end
print(sum)
