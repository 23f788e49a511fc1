sum=0
while read -r n; do ((sum += n)); done < <(for i in {0..7}; do echo $i & done; wait)
echo $sum