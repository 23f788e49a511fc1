n=0
f() { if (($1)); then f $(($1 - 1)); ((n += 1)); fi; }
f 3000
echo $n