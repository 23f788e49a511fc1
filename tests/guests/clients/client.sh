# Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`.
trap "" PIPE # a write to a connection that was reset would end the subshell without a word
get() {
    local name=$1 host=$2 port=$3 said
    said=$({
        exec 3<>"/dev/tcp/$host/$port" || exit
        printf 'GET / HTTP/1.0\r\n\r\n' >&3
        timeout "$([[ $name == silent ]] && echo 1 || echo 20)" cat <&3 || { (($? != 124)) || echo "timed out"; }
    } 2>&1)
    said=${said##*$'\r\n\r\n'}
    printf '%s: %s\n' "$name" "${said//$'\n'/ }"
}
while read -r name scheme host port; do
    if [[ $scheme == http ]]; then get "$name" "$host" "$port"; fi
done
