-- expect: AC
-- attack: T7 write_outside: leaves files where every later run would see them
-- control: read_only_root
for _, place in ipairs({ "", "/etc", "/dev", "/usr/bin", "/opt", "/proc", "/usr/share", "/usr/lib" }) do
  local file = io.open(place .. "/planted", "w")
  if file then print("ESCAPED wrote " .. place .. "/planted") end
end
