-- expect: RE SIG
-- attack: T14 output_flood: more output than may be kept, in one line
-- control: output_limit
io.stdout:setvbuf("no")
for _ = 1, 160 do assert(io.write(("x"):rep(4096))) end
print("\nESCAPED wrote 640 KiB")
