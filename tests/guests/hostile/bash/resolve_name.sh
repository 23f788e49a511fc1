# expect: AC
# attack: T26 resolve_name: names resolve to nothing, and at once
# alone: a jail with the way out would ask servers that are not the test's
for name in example.com metadata.google.internal host.docker.internal; do
  if getent ahosts "$name" || (: <"/dev/tcp/$name/80") 2>/dev/null; then echo "ESCAPED resolved $name"; fi
done
if ((SECONDS > 4)); then echo "ESCAPED a refusal took its time"; fi
