echo before
while :; do numbers+=({1..1000}); done