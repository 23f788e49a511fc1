-- expect: RE SIG
-- attack: T14 error_flood: the same on the error stream
-- control: output_limit
for number = 1, 10000 do
  assert(io.stderr:write(number, " this line is repeated very often, and then some more\n"))
end
print("ESCAPED wrote 560 KB of errors")
