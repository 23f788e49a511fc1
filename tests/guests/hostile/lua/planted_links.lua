-- expect: AC
-- attack: T1 T2 planted_links: replaces its own files and the names that the host writes with links out of the box
-- control: read_only_root
os.remove("solution.lua")
os.execute("ln -s /etc/passwd solution.lua; ln -s / stdin; mkfifo artifact")
for _, move in ipairs({ { "/usr/bin/env", "/usr/bin/planted" }, { "/box", "/tmp/box" }, { "/opt", "/planted" } }) do
  if os.rename(move[1], move[2]) then print("ESCAPED moved " .. move[1]) end
end
for _, attempt in ipairs({ "ln /usr/bin/env env", "rmdir /box", "ln -s / /planted" }) do
  if os.execute(attempt .. " 2>/dev/null") then print("ESCAPED by " .. attempt) end
end
