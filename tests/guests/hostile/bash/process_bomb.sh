# expect: PLE
# attack: T8 process_bomb: starts background jobs that stay
# control: process_limit
for ((i = 0; i < 60; i++)); do sleep 100 & done
echo "ESCAPED has 60 children"
