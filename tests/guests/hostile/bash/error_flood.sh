# expect: RE SIG
# attack: T14 error_flood: the same on the error stream
# control: output_limit
for ((number = 0; number < 10000; number++)); do
  echo "$number this line is repeated very often, and then some more" >&2
done
echo "ESCAPED wrote 560 KB of errors"
