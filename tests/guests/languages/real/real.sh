# The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, classes.

PRIME=1000000007

# --- a parser: each function leaves its value in `value`; an error stands in `problem`.
# expression = term {+|- term}; term = factor {*|/|% factor}; factor = - factor | ( expression ) | number

peek() {
  while [[ ${text:at:1} == " " ]]; do ((at += 1)); done
  symbol=${text:at:1}
}

unexpected() {
  peek
  problem="unexpected ${symbol:+'$symbol'}"
  [[ -n $symbol ]] || problem="unexpected end"
  return 1
}

expression() {
  local total operator
  term || return
  total=$value
  while peek && [[ $symbol == [+-] ]]; do
    operator=$symbol
    ((at += 1))
    term || return
    case $operator in
      +) ((total += value)) ;;
      -) ((total -= value)) ;;
    esac
  done
  value=$total
}

term() {
  local product operator
  factor || return
  product=$value
  while peek && [[ $symbol == [*/%] ]]; do
    operator=$symbol
    ((at += 1))
    factor || return
    if [[ $operator != "*" ]] && ((value == 0)); then
      problem="division by zero"
      return 1
    fi
    case $operator in
      "*") ((product *= value)) ;;
      /) ((product /= value)) ;;
      %) ((product %= value)) ;;
    esac
  done
  value=$product
  return 0
}

factor() {
  local digits
  peek
  if [[ $symbol == - ]]; then
    ((at += 1))
    factor || return
    value=$((-value))
    return 0
  fi
  if [[ $symbol == "(" ]]; then
    ((at += 1))
    expression || return
    peek
    [[ $symbol == ")" ]] || { unexpected; return; }
    ((at += 1))
    return 0
  fi
  [[ ${text:at} =~ ^[0-9]+ ]] || { unexpected; return; }
  digits=${BASH_REMATCH[0]}
  ((at += ${#digits}))
  value=$((10#$digits))
}

parse() {
  text=$1 at=0 problem="" value=0
  expression || return
  peek
  [[ -z $symbol ]] || unexpected
}

# --- graphs

declare -A weights
shortest_paths() { # NODES: the edges are in `weights`, by "source target"
  local nodes=$1 node best target distance
  local -a distances done_with
  for ((node = 0; node < nodes; node++)); do distances[node]=-1; done
  distances[0]=0
  while :; do
    best=-1
    for ((node = 0; node < nodes; node++)); do
      ((done_with[node] || distances[node] < 0)) && continue
      ((best < 0 || distances[node] < distances[best])) && best=$node
    done
    ((best < 0)) && break
    done_with[best]=1
    for ((target = 0; target < nodes; target++)); do
      [[ -n ${weights[$best $target]-} ]] || continue
      ((distance = distances[best] + ${weights[$best $target]}))
      ((distances[target] < 0 || distance < distances[target])) && distances[target]=$distance
    done
  done
  echo "dist: ${distances[*]}"
}

# --- text

words_of() {
  tr '[:upper:]' '[:lower:]' | grep -oE '[a-z]+' | sort | uniq -c | sort -k1,1nr -k2,2 | head -n 5 |
    awk '{ printf "%s%s=%d", (NR > 1 ? " " : ""), $2, $1 } END { print "" }'
}

# --- sorting

seed=42
next_number() { number=$((seed = seed * 48271 % 2147483647)); }

declare -a items merged
merge_sort() { # FIRST END: of `items`
  local first=$1 end=$2
  ((end - first < 2)) && return
  local middle=$(((first + end) / 2))
  merge_sort "$first" "$middle"
  merge_sort "$middle" "$end"
  local left=$first right=$middle at
  for ((at = first; at < end; at++)); do
    if ((right >= end || (left < middle && items[left] <= items[right]))); then
      merged[at]=${items[left++]}
    else
      merged[at]=${items[right++]}
    fi
  done
  for ((at = first; at < end; at++)); do items[at]=${merged[at]}; done
}

lower_bound() { # WANTED: leaves its place in `low`
  local high=${#items[@]} middle
  low=0
  while ((low < high)); do
    ((middle = (low + high) / 2))
    if ((items[middle] < $1)); then low=$((middle + 1)); else high=$middle; fi
  done
}

# --- numbers

primes_below() {
  local limit=$1 n multiple count=0 sum=0
  local -a composite
  for ((n = 2; n < limit; n++)); do
    ((composite[n])) && continue
    ((count += 1, sum += n))
    for ((multiple = n * n; multiple < limit; multiple += n)); do composite[multiple]=1; done
  done
  echo "primes: $count $sum"
}

multiply() { # TARGET A B MODULUS: names of arrays of four numbers, row by row
  local -n target=$1 a=$2 b=$3
  local modulus=$4
  target=(
    $(((a[0] * b[0] + a[1] * b[2]) % modulus)) $(((a[0] * b[1] + a[1] * b[3]) % modulus))
    $(((a[2] * b[0] + a[3] * b[2]) % modulus)) $(((a[2] * b[1] + a[3] * b[3]) % modulus))
  )
}

fibonacci() {
  local n=$1 modulus=$2
  local -a result=(1 0 0 1) base=(1 1 1 0) product
  for (( ; n; n >>= 1)); do
    if ((n & 1)); then
      multiply product result base "$modulus"
      result=("${product[@]}")
    fi
    multiply product base base "$modulus"
    base=("${product[@]}")
  done
  echo "fib: ${result[1]}"
}

factorial() {
  local -a digits=(1)
  local n=$1 by carry i
  for ((by = 2; by <= n; by++)); do
    carry=0
    for ((i = 0; i < ${#digits[@]}; i++)); do
      ((carry += digits[i] * by, digits[i] = carry % 10, carry /= 10))
    done
    for (( ; carry; carry /= 10)); do digits+=($((carry % 10))); done
  done
  echo "factorial: $(printf '%s\n' "${digits[@]}" | tac | paste -sd '')"
}

solutions=0
queens() { # N ROW COLUMNS LEFT RIGHT
  if (($2 == $1)); then
    ((solutions += 1))
    return
  fi
  local free=$((((1 << $1) - 1) & ~($3 | $4 | $5))) bit
  for (( ; free; free &= free - 1)); do
    bit=$((free & -free))
    queens "$1" $(($2 + 1)) $(($3 | bit)) $((($4 | bit) << 1)) $((($5 | bit) >> 1))
  done
}

# --- a cache that forgets the least recently used key

capacity=3 hits=0 misses=0
declare -a used # the last one first
use() {
  local key kept=()
  for key in "${used[@]}"; do [[ $key == "$1" ]] || kept+=("$key"); done
  if ((${#kept[@]} < ${#used[@]})); then ((hits += 1)); else ((misses += 1)); fi
  used=("$1" "${kept[@]:0:capacity-1}")
}

# --- shapes: the name of the class is the name of the function

circle() { echo $((314 * $1 * $1 / 100)); }
rectangle() { echo $(($1 * $2)); }

main() {
  local n m k source target weight line areas=() i
  read -r n m
  for ((i = 0; i < m; i++)); do
    read -r source target weight
    weights[$source $target]=$weight
  done
  shortest_paths "$n"
  read -r k
  for ((i = 0; i < k; i++)); do
    IFS= read -r line
    if parse "$line"; then echo "expr: $line = $value"; else echo "expr: $line error: $problem"; fi
  done
  echo "words: $(words_of)"
  for ((i = 0; i < 2000; i++)); do next_number && items+=("$number"); done
  merge_sort 0 2000
  local checksum=0
  for ((i = 0; i < 2000; i++)); do ((checksum = (checksum + (i + 1) * items[i]) % PRIME)); done
  lower_bound "${items[777]}"
  echo "sorted: ${items[0]} ${items[-1]} $checksum $low"
  primes_below 20000
  for ((i = 0; i < 200; i++)); do next_number && use $((number % 6)); done
  echo "cache: $hits $misses order ${used[*]}"
  fibonacci 1000000000 1000007
  factorial 30
  queens 8 0 0 0 0
  echo "queens: $solutions"
  areas=("$(circle 10)" "$(rectangle 3 4)" "$(circle 7)" "$(rectangle 5 5)")
  echo "shapes: ${areas[*]} total $((${areas[*]/%/ +} 0))"
}

main
