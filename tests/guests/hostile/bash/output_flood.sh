# expect: RE SIG
# attack: T14 output_flood: more output than may be kept, in one line
# control: output_limit
printf -v block '%04096d' 0
for ((i = 0; i < 160; i++)); do printf %s "$block"; done
printf '\nESCAPED wrote 640 KiB\n'
