// The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, interfaces.
package main

import (
	"bufio"
	"cmp"
	"container/heap"
	"container/list"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
)

const prime = 1_000_000_007

var errDivision = errors.New("division by zero")

type parser struct {
	text string
	at   int
}

type unexpected struct{ symbol byte }

func (u unexpected) Error() string {
	if u.symbol == 0 {
		return "unexpected end"
	}
	return fmt.Sprintf("unexpected '%c'", u.symbol)
}

func parse(text string) (value int, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = problem.(error)
		}
	}()
	p := &parser{text: text}
	value = p.expression()
	if symbol := p.peek(); symbol != 0 {
		panic(unexpected{symbol})
	}
	return value, nil
}

func (p *parser) peek() byte {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) expression() int {
	value := p.term()
	for symbol := p.peek(); symbol == '+' || symbol == '-'; symbol = p.peek() {
		p.at++
		if right := p.term(); symbol == '+' {
			value += right
		} else {
			value -= right
		}
	}
	return value
}

func (p *parser) term() int {
	value := p.factor()
	for {
		symbol := p.peek()
		if symbol == 0 || !strings.ContainsRune("*/%", rune(symbol)) {
			return value
		}
		p.at++
		right := p.factor()
		switch {
		case symbol == '*':
			value *= right
		case right == 0:
			panic(errDivision)
		case symbol == '/':
			value /= right
		default:
			value %= right
		}
	}
}

func (p *parser) factor() int {
	symbol := p.peek()
	switch symbol {
	case '-':
		p.at++
		return -p.factor()
	case '(':
		p.at++
		value := p.expression()
		if next := p.peek(); next != ')' {
			panic(unexpected{next})
		}
		p.at++
		return value
	}
	start := p.at
	for p.at < len(p.text) && unicode.IsDigit(rune(p.text[p.at])) {
		p.at++
	}
	value, err := strconv.Atoi(p.text[start:p.at])
	if err != nil {
		panic(unexpected{symbol})
	}
	return value
}

type edge struct{ target, weight int }
type item struct{ distance, node int }
type queue []item

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].distance < q[j].distance }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(item)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func shortestPaths(graph [][]edge) []int {
	distances := make([]int, len(graph))
	for i := range distances {
		distances[i] = -1
	}
	q := &queue{{0, 0}}
	for q.Len() > 0 {
		next := heap.Pop(q).(item)
		if distances[next.node] >= 0 {
			continue
		}
		distances[next.node] = next.distance
		for _, e := range graph[next.node] {
			heap.Push(q, item{next.distance + e.weight, e.target})
		}
	}
	return distances
}

func mergeSort[T cmp.Ordered](items []T) []T {
	if len(items) < 2 {
		return items
	}
	left, right := mergeSort(items[:len(items)/2]), mergeSort(items[len(items)/2:])
	merged := make([]T, 0, len(items))
	for len(left) > 0 && len(right) > 0 {
		if left[0] <= right[0] {
			merged, left = append(merged, left[0]), left[1:]
		} else {
			merged, right = append(merged, right[0]), right[1:]
		}
	}
	return append(append(merged, left...), right...)
}

type cache struct {
	capacity, hits, misses int
	order                  *list.List
	places                 map[int]*list.Element
}

func (c *cache) use(key int) {
	if place, ok := c.places[key]; ok {
		c.hits++
		c.order.MoveToFront(place)
		return
	}
	c.misses++
	if c.order.Len() == c.capacity {
		delete(c.places, c.order.Remove(c.order.Back()).(int))
	}
	c.places[key] = c.order.PushFront(key)
}

type matrix [2][2]int

func (a matrix) times(b matrix, modulus int) (r matrix) {
	for i := range 2 {
		for j := range 2 {
			r[i][j] = (a[i][0]*b[0][j] + a[i][1]*b[1][j]) % modulus
		}
	}
	return r
}

func fibonacci(n, modulus int) int {
	result, base := matrix{{1, 0}, {0, 1}}, matrix{{1, 1}, {1, 0}}
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = result.times(base, modulus)
		}
		base = base.times(base, modulus)
	}
	return result[0][1]
}

func queens(n, row, columns, left, right int) int {
	if row == n {
		return 1
	}
	count := 0
	for free := (1<<n - 1) &^ (columns | left | right); free != 0; free &= free - 1 {
		bit := free & -free
		count += queens(n, row+1, columns|bit, (left|bit)<<1, (right|bit)>>1)
	}
	return count
}

type shape interface{ area() int }
type circle struct{ radius int }
type rectangle struct{ width, height int }

func (c circle) area() int    { return 314 * c.radius * c.radius / 100 }
func (r rectangle) area() int { return r.width * r.height }

func join[T any](items []T) string { return strings.Trim(fmt.Sprint(items), "[]") }

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var n, m, k int
	fmt.Fscan(in, &n, &m)
	graph := make([][]edge, n)
	for range m {
		var source, target, weight int
		fmt.Fscan(in, &source, &target, &weight)
		graph[source] = append(graph[source], edge{target, weight})
	}
	fmt.Fprintln(out, "dist:", join(shortestPaths(graph)))
	fmt.Fscan(in, &k)
	in.ReadString('\n')
	for range k {
		line, _ := in.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		if value, err := parse(line); err != nil {
			fmt.Fprintf(out, "expr: %s error: %v\n", line, err)
		} else {
			fmt.Fprintf(out, "expr: %s = %d\n", line, value)
		}
	}
	rest, _ := io.ReadAll(in)
	counts := map[string]int{}
	for _, word := range strings.FieldsFunc(strings.ToLower(string(rest)), func(r rune) bool { return r < 'a' || r > 'z' }) {
		counts[word]++
	}
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	fmt.Fprint(out, "words:")
	for _, word := range words[:5] {
		fmt.Fprintf(out, " %s=%d", word, counts[word])
	}
	seed := 42
	next := func() int { seed = seed * 48271 % 2147483647; return seed }
	items := make([]int, 2000)
	for i := range items {
		items[i] = next()
	}
	items = mergeSort(items)
	checksum := 0
	for i, value := range items {
		checksum = (checksum + (i+1)*value) % prime
	}
	fmt.Fprintln(out, "\nsorted:", items[0], items[1999], checksum, sort.SearchInts(items, items[777]))
	composite := make([]bool, 20000)
	count, sum := 0, 0
	for i := 2; i < len(composite); i++ {
		if composite[i] {
			continue
		}
		count, sum = count+1, sum+i
		for j := i * i; j < len(composite); j += i {
			composite[j] = true
		}
	}
	fmt.Fprintln(out, "primes:", count, sum)
	c := &cache{capacity: 3, order: list.New(), places: map[int]*list.Element{}}
	for range 200 {
		c.use(next() % 6)
	}
	fmt.Fprint(out, "cache: ", c.hits, " ", c.misses, " order")
	for place := c.order.Front(); place != nil; place = place.Next() {
		fmt.Fprint(out, " ", place.Value)
	}
	fmt.Fprintln(out, "\nfib:", fibonacci(1_000_000_000, 1_000_007))
	fmt.Fprintln(out, "factorial:", new(big.Int).MulRange(1, 30))
	fmt.Fprintln(out, "queens:", queens(8, 0, 0, 0, 0))
	areas, total := []int{}, 0
	for _, s := range []shape{circle{10}, rectangle{3, 4}, circle{7}, rectangle{5, 5}} {
		areas, total = append(areas, s.area()), total+s.area()
	}
	fmt.Fprintln(out, "shapes:", join(areas), "total", total)
}
