const next = Array.from({length: 150000}, (_, i) => i < 149999 ? [i + 1] : [])
function depth(vertex) {
  let found = 1
  for (const other of next[vertex]) found += depth(other)
  return found
}
console.log(depth(0))
