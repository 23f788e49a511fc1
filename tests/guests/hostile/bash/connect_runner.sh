# expect: AC
# attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
# control: network_namespace
read -r port _
for address in 127.0.0.1 localhost 0.0.0.0; do
  if (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; then echo "ESCAPED connected to $address"; fi
done
