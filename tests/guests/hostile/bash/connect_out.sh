# expect: AC
# attack: T26 connect_out: reaches for any address; each try must fail at once with an errno
# control: unreachable_network
for address in 1.1.1.1 10.0.0.1 192.168.1.1 169.254.169.254 169.254.170.2 127.0.0.1 ::1 2606:4700:4700::1111; do
  for kind in tcp udp; do
    answer=$({ echo x >"/dev/$kind/$address/80"; } 2>&1)
    if [[ -z $answer || $answer == *refused* ]]; then echo "ESCAPED reached $address"; fi
  done
done
if ((SECONDS > 4)); then echo "ESCAPED a refusal took its time"; fi
