# expect: AC
# attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
# control: private_mounts
for place in /tmp /dev/shm .; do
  left=$(ls -A -I solution.sh "$place")
  if [[ -n $left ]]; then echo "ESCAPED found in $place: $left"; fi
  echo "left by an earlier run" >"$place/marker-of-bash"
done
