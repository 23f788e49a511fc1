-- expect: AC
-- attack: T6 inode_bomb: empty files, which no byte limit counts
-- control: inode_limit
for number = 1, 20000 do
  local file = io.open("/tmp/" .. number, "w")
  if not file then os.exit(0) end
  file:close()
end
print("ESCAPED made 20000 files")
