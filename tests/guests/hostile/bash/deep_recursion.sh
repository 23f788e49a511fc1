# expect: RE SIG MLE
# attack: T20 deep_recursion: a function that calls itself for ever
# alone: it meets the stack's own end, in a jail or not
deeper() {
  local level=$(($1 + 1))
  deeper "$level"
}
deeper 0
