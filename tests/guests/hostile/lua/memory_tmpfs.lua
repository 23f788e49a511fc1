-- expect: MLE
-- attack: T6 T16 memory_tmpfs: fills every writable mount with files below the file size limit
-- control: memory_limit
local places, text = { "/tmp", "/dev/shm", "." }, ("x"):rep(1 << 20)
for number = 0, 329 do
  local file = io.open(places[number % 3 + 1] .. "/file" .. number, "w")
  if not file then os.exit(1) end
  file:write(text):close()
end
print("ESCAPED stored 330 MiB in files")
