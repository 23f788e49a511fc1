for ((i = 0; i < 300; i++)); do x=({1..1000}); done
echo ok