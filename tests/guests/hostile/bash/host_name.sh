# expect: AC
# attack: T29 host_name: learns the host's name
# control: uts_namespace
for name in "$HOSTNAME" "$(uname -n)"; do
  if [[ $name != rustbox-sandbox ]]; then echo "ESCAPED the host is $name"; fi
done
