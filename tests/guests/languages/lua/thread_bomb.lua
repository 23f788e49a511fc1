local pipes = {}
while true do
  local pipe, problem = io.popen("exec sleep 60")
  if not pipe then io.stderr:write(problem, "\n") os.exit(1) end
  pipes[#pipes + 1] = pipe
end
