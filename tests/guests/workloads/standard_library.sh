# The commands that shell programs use. Prints "ok <part>" or "FAILED <part> ..."; exit code 1 if any failed.
failures=0
check() { # PART EXPECTED ACTUAL
  if [[ $2 == "$3" ]]; then
    echo "ok $1"
  else
    echo "FAILED $1: $3"
    failures=1
  fi
}

text=$'b 2\na 1\nc 3\na 4'
check "sort, uniq, cut" "a b c" "$(sort <<<"$text" | cut -d' ' -f1 | uniq | paste -sd' ')"
check "grep, sed, tr" "A-4" "$(grep 'a 4' <<<"$text" | sed 's/ /-/' | tr a-z A-Z)"
check "awk" "10" "$(awk '{ sum += $2 } END { print sum }' <<<"$text")"
check "jq" '{"n":3,"last":"x"}' "$(echo '{"all": [1, 2, 3], "name": "x"}' | jq -c '{n: (.all | length), last: .name}')"

mkdir -p tree/inner
echo one >tree/one.txt
echo two >tree/inner/two.txt
ln -s one.txt tree/link
check "find, xargs" "one two" "$(find tree -type f -print0 | sort -z | xargs -0 cat | sort | paste -sd' ')"
tar -czf tree.tar.gz tree && rm -r tree && tar -xzf tree.tar.gz
check "tar, gzip" "two" "$(cat tree/inner/two.txt)"
check "gzip, checksums" "$(sha256sum <tree.tar.gz)" "$(gzip -c tree.tar.gz | gunzip | sha256sum)"
check "stat, test, mktemp" "4 link" "$(stat -c %s tree/one.txt) $([[ -L tree/link ]] && basename tree/link)"
file=$(mktemp)
diff <(seq 3) <(printf '%s\n' 1 2 4) >"$file"
check "diff, process substitution" "3c3" "$(head -n 1 "$file")"

coproc doubled { while read -r n; do echo $((n * 2)); done; }
echo 21 >&"${doubled[1]}"
read -r answer <&"${doubled[0]}"
check "coprocess" 42 "$answer"
trap 'caught=yes' USR1
kill -USR1 $$
check "trap, kill" yes "$caught"
(exit 3) &
wait $!
check "jobs" 3 $?
timeout 0.1 sleep 10
check "timeout" 124 $?
check "pipes that end early" "y" "$(yes | head -n 1)"
check "dates" "1970-01-01 $(printf '%(%Y)T')" "$(date -u -d @0 +%F) $(date +%Y)"
check "arrays, patterns" "c:b:a solution" "$(a=(a b c); echo "${a[2]}:${a[1]}:${a[0]}") $(name=solution.sh; echo "${name%.*}")"
check "other interpreters" "42 42" "$(python3 -c 'print(6 * 7)') $(perl -e 'print 6 * 7')"
{ : <"/dev/tcp/192.0.2.1/80"; } 2>/dev/null
check "network" 1 $?
exit "$failures"
