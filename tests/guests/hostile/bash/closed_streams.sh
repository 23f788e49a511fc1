# expect: AC
# attack: T13 closed_streams: closes all three streams and goes on
# alone: it attacks the supervisor, which has no part that could be left out
exec 0<&- 1>&- 2>&-
for number in 0 1 2; do [[ ! -e /proc/$$/fd/$number ]] || kill -KILL $$; done
