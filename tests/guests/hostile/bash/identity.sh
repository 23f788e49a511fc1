# expect: AC
# attack: T22 T29 identity: is it root, in a group of the host, or able to become root
# control: unprivileged_user
if ((UID == 0 || EUID == 0)); then echo "ESCAPED is root"; fi
if [[ $(id -G) != "$(id -g)" ]]; then echo "ESCAPED is in groups $(id -G)"; fi
for become in "su -c true" "sudo -n true" "setpriv --reuid=0 true" "unshare --map-root-user true" "newgrp -c true"; do
  if $become </dev/null >/dev/null 2>&1; then echo "ESCAPED by $become"; fi
done
