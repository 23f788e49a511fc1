echo before
sleep 60