-- The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, classes.

local PRIME = 1000000007

-- expression = term {+|- term}; term = factor {*|/|% factor}; factor = - factor | ( expression ) | number
local Parser = {}
Parser.__index = Parser

function Parser.new(text)
  return setmetatable({ text = text, at = 1 }, Parser)
end

function Parser:fail(problem)
  error({ problem = problem }, 0)
end

function Parser:peek()
  self.at = self.text:find("[^ ]", self.at) or #self.text + 1
  return self.text:sub(self.at, self.at)
end

function Parser:parse()
  local value = self:expression()
  if self:peek() ~= "" then
    self:fail("unexpected '" .. self:peek() .. "'")
  end
  return value
end

function Parser:expression()
  local value = self:term()
  local operator = self:peek()
  while operator == "+" or operator == "-" do
    self.at = self.at + 1
    local right = self:term()
    value = operator == "+" and value + right or value - right
    operator = self:peek()
  end
  return value
end

function Parser:term()
  local value = self:factor()
  local operator = self:peek()
  while operator == "*" or operator == "/" or operator == "%" do
    self.at = self.at + 1
    local right = self:factor()
    if operator == "*" then
      value = value * right
    else
      if right == 0 then
        self:fail("division by zero")
      end
      local quotient = math.abs(value) // math.abs(right)
      if (value < 0) ~= (right < 0) then
        quotient = -quotient
      end
      value = operator == "/" and quotient or value - quotient * right
    end
    operator = self:peek()
  end
  return value
end

function Parser:factor()
  local symbol = self:peek()
  if symbol == "" then
    self:fail("unexpected end")
  elseif symbol == "-" then
    self.at = self.at + 1
    return -self:factor()
  elseif symbol == "(" then
    self.at = self.at + 1
    local value = self:expression()
    local closing = self:peek()
    if closing ~= ")" then
      self:fail(closing == "" and "unexpected end" or "unexpected '" .. closing .. "'")
    end
    self.at = self.at + 1
    return value
  end
  local digits = self.text:match("^%d+", self.at)
  if not digits then
    self:fail("unexpected '" .. symbol .. "'")
  end
  self.at = self.at + #digits
  return math.tointeger(tonumber(digits))
end

local function shortest_paths(n, edges)
  local graph, distances, heap = {}, {}, { { 0, 1 } }
  for node = 1, n do
    graph[node], distances[node] = {}, -1
  end
  for _, edge in ipairs(edges) do
    table.insert(graph[edge[1] + 1], { edge[2] + 1, edge[3] })
  end
  while #heap > 0 do
    local least = 1
    for i = 2, #heap do
      if heap[i][1] < heap[least][1] then
        least = i
      end
    end
    local distance, node = table.unpack(table.remove(heap, least))
    if distances[node] < 0 then
      distances[node] = distance
      for _, edge in ipairs(graph[node]) do
        table.insert(heap, { distance + edge[2], edge[1] })
      end
    end
  end
  return distances
end

local function words_of(text)
  local counts, words = {}, {}
  for word in text:lower():gmatch("[a-z]+") do
    if not counts[word] then
      table.insert(words, word)
    end
    counts[word] = (counts[word] or 0) + 1
  end
  table.sort(words, function(a, b)
    return counts[a] > counts[b] or (counts[a] == counts[b] and a < b)
  end)
  local shown = {}
  for i = 1, math.min(5, #words) do
    shown[i] = words[i] .. "=" .. counts[words[i]]
  end
  return table.concat(shown, " ")
end

local function random_numbers(seed)
  return coroutine.wrap(function()
    local value = seed
    while true do
      value = value * 48271 % 2147483647
      coroutine.yield(value)
    end
  end)
end

local function merge_sort(items)
  if #items < 2 then
    return items
  end
  local middle = #items // 2
  local left = merge_sort(table.move(items, 1, middle, 1, {}))
  local right = merge_sort(table.move(items, middle + 1, #items, 1, {}))
  local merged, i, j = {}, 1, 1
  while i <= #left or j <= #right do
    if j > #right or (i <= #left and left[i] <= right[j]) then
      merged[#merged + 1], i = left[i], i + 1
    else
      merged[#merged + 1], j = right[j], j + 1
    end
  end
  return merged
end

local function lower_bound(items, wanted)
  local low, high = 1, #items + 1
  while low < high do
    local middle = (low + high) // 2
    if items[middle] < wanted then
      low = middle + 1
    else
      high = middle
    end
  end
  return low - 1
end

local function primes_below(limit)
  local composite, count, sum = {}, 0, 0
  for n = 2, limit - 1 do
    if not composite[n] then
      count, sum = count + 1, sum + n
      for multiple = n * n, limit - 1, n do
        composite[multiple] = true
      end
    end
  end
  return count, sum
end

local Cache = {}
Cache.__index = Cache

function Cache.new(capacity)
  return setmetatable({ capacity = capacity, keys = {}, hits = 0, misses = 0 }, Cache)
end

function Cache:use(key)
  for i, known in ipairs(self.keys) do
    if known == key then
      self.hits = self.hits + 1
      table.insert(self.keys, 1, table.remove(self.keys, i))
      return
    end
  end
  self.misses = self.misses + 1
  if #self.keys == self.capacity then
    table.remove(self.keys)
  end
  table.insert(self.keys, 1, key)
end

local function multiply(a, b, modulus)
  local made = { {}, {} }
  for i = 1, 2 do
    for j = 1, 2 do
      made[i][j] = (a[i][1] * b[1][j] + a[i][2] * b[2][j]) % modulus
    end
  end
  return made
end

local function fibonacci(n, modulus)
  local result, base = { { 1, 0 }, { 0, 1 } }, { { 1, 1 }, { 1, 0 } }
  while n > 0 do
    if n & 1 == 1 then
      result = multiply(result, base, modulus)
    end
    base, n = multiply(base, base, modulus), n >> 1
  end
  return result[1][2]
end

local function factorial_digits(n)
  local digits = { 1 }
  for factor = 2, n do
    local carry = 0
    for i = 1, #digits do
      carry = carry + digits[i] * factor
      digits[i], carry = carry % 10, carry // 10
    end
    while carry > 0 do
      digits[#digits + 1], carry = carry % 10, carry // 10
    end
  end
  return table.concat(digits):reverse()
end

local function queens(n, row, columns, left, right)
  if row == n then
    return 1
  end
  local count, free = 0, ((1 << n) - 1) & ~(columns | left | right)
  while free ~= 0 do
    local bit = free & -free
    free = free ~ bit
    count = count + queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
  end
  return count
end

local Circle, Rectangle = {}, {}
Circle.__index, Rectangle.__index = Circle, Rectangle

function Circle:area()
  return 314 * self.radius * self.radius // 100
end

function Rectangle:area()
  return self.width * self.height
end

local function main()
  local lines = {}
  for line in (io.read("a") .. "\n"):gmatch("(.-)\n") do
    table.insert(lines, line)
  end
  local n, m = lines[1]:match("(%d+) (%d+)")
  local edges = {}
  for i = 1, m do
    local source, target, weight = lines[i + 1]:match("(%d+) (%d+) (%d+)")
    edges[i] = { math.tointeger(source), math.tointeger(target), math.tointeger(weight) }
  end
  m = math.tointeger(m)
  print("dist: " .. table.concat(shortest_paths(math.tointeger(n), edges), " "))
  local k = math.tointeger(lines[m + 2])
  for i = m + 3, m + 2 + k do
    local is_good, value = pcall(Parser.parse, Parser.new(lines[i]))
    if is_good then
      print("expr: " .. lines[i] .. " = " .. value)
    else
      print("expr: " .. lines[i] .. " error: " .. value.problem)
    end
  end
  print("words: " .. words_of(table.concat(lines, " ", m + 3 + k)))
  local next_number, items, checksum = random_numbers(42), {}, 0
  for i = 1, 2000 do
    items[i] = next_number()
  end
  items = merge_sort(items)
  for i, item in ipairs(items) do
    checksum = (checksum + i * item) % PRIME
  end
  print(("sorted: %d %d %d %d"):format(items[1], items[#items], checksum, lower_bound(items, items[778])))
  print("primes: " .. table.concat({ primes_below(20000) }, " "))
  local cache = Cache.new(3)
  for _ = 1, 200 do
    cache:use(next_number() % 6)
  end
  print("cache: " .. cache.hits .. " " .. cache.misses .. " order " .. table.concat(cache.keys, " "))
  print("fib: " .. fibonacci(1000000000, 1000007))
  print("factorial: " .. factorial_digits(30))
  print("queens: " .. queens(8, 0, 0, 0, 0))
  local shapes = {
    setmetatable({ radius = 10 }, Circle),
    setmetatable({ width = 3, height = 4 }, Rectangle),
    setmetatable({ radius = 7 }, Circle),
    setmetatable({ width = 5, height = 5 }, Rectangle),
  }
  local areas, total = {}, 0
  for i, shape in ipairs(shapes) do
    areas[i], total = shape:area(), total + shape:area()
  end
  print("shapes: " .. table.concat(areas, " ") .. " total " .. total)
end

main()
