# expect: AC
# attack: T6 descriptor_bomb: opens the same file again and again
# control: rlimits
opened=0
while ((opened < 300)) && { exec {number}</dev/null; } 2>/dev/null; do ((opened += 1)); done
if ((opened == 300)); then echo "ESCAPED has 300 descriptors"; fi
