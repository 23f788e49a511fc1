# expect: AC
# attack: T23 descriptors: looks for descriptors that the jail forgot to close
# control: closed_descriptors
for entry in /proc/$$/fd/*; do
  # Bash itself reads the script. The folder that the pattern was matched in is closed by now.
  if ((${entry##*/} > 2)) && [[ -e $entry && ! $entry -ef /box/solution.sh ]]; then
    echo "ESCAPED was given $(readlink "$entry")"
  fi
done
