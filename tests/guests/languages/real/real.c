/* The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, dispatch. */
#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIME 1000000007LL
#define MAX_LINE 4096

typedef struct { int target, weight, next; } Edge;
typedef struct { long distance; int node; } Item;
typedef struct { Item *items; int count, room; } Heap;

static void push(Heap *heap, long distance, int node) {
    if (heap->count == heap->room) {
        heap->room = heap->room ? heap->room * 2 : 16;
        heap->items = realloc(heap->items, heap->room * sizeof *heap->items);
    }
    int i = heap->count++;
    while (i > 0 && heap->items[(i - 1) / 2].distance > distance) {
        heap->items[i] = heap->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->items[i] = (Item){distance, node};
}

static Item pop(Heap *heap) {
    Item top = heap->items[0], last = heap->items[--heap->count];
    int i = 0;
    for (int child; (child = 2 * i + 1) < heap->count; i = child) {
        if (child + 1 < heap->count && heap->items[child + 1].distance < heap->items[child].distance) child++;
        if (heap->items[child].distance >= last.distance) break;
        heap->items[i] = heap->items[child];
    }
    heap->items[i] = last;
    return top;
}

static void shortest_paths(int n, const int *heads, const Edge *edges, long *distances) {
    Heap heap = {0};
    for (int i = 0; i < n; i++) distances[i] = -1;
    push(&heap, 0, 0);
    while (heap.count) {
        Item item = pop(&heap);
        if (distances[item.node] >= 0) continue;
        distances[item.node] = item.distance;
        for (int e = heads[item.node]; e >= 0; e = edges[e].next) push(&heap, item.distance + edges[e].weight, edges[e].target);
    }
    free(heap.items);
}

static const char *at;
static char problem[64];
static jmp_buf failure;

static long expression(void);

static void fail(const char *text, char symbol) {
    if (symbol) snprintf(problem, sizeof problem, "unexpected '%c'", symbol);
    else snprintf(problem, sizeof problem, "%s", text);
    longjmp(failure, 1);
}

static char peek(void) {
    while (*at == ' ') at++;
    return *at;
}

static long factor(void) {
    char symbol = peek();
    if (!symbol) fail("unexpected end", 0);
    if (symbol == '-') { at++; return -factor(); }
    if (symbol == '(') {
        at++;
        long value = expression();
        if (peek() != ')') fail("unexpected end", peek());
        at++;
        return value;
    }
    if (!isdigit((unsigned char)symbol)) fail("", symbol);
    long value = 0;
    while (isdigit((unsigned char)*at)) value = value * 10 + (*at++ - '0');
    return value;
}

static long term(void) {
    long value = factor();
    for (char operator; (operator = peek()) == '*' || operator == '/' || operator == '%';) {
        at++;
        long right = factor();
        if (operator != '*' && right == 0) fail("division by zero", 0);
        value = operator == '*' ? value * right : operator == '/' ? value / right : value % right;
    }
    return value;
}

static long expression(void) {
    long value = term();
    for (char operator; (operator = peek()) == '+' || operator == '-';) {
        at++;
        long right = term();
        value = operator == '+' ? value + right : value - right;
    }
    return value;
}

static void evaluate(const char *line) {
    at = line;
    if (setjmp(failure)) { printf("expr: %s error: %s\n", line, problem); return; }
    long value = expression();
    if (peek()) fail("", peek());
    printf("expr: %s = %ld\n", line, value);
}

typedef struct { char text[32]; int count; } Word;

static int by_count(const void *a, const void *b) {
    const Word *x = a, *y = b;
    return x->count != y->count ? y->count - x->count : strcmp(x->text, y->text);
}

static void count_words(FILE *in) {
    static Word words[256];
    int known = 0, length = 0, c;
    char word[32];
    do {
        c = fgetc(in);
        if (c != EOF && c < 128 && isalpha(c)) { if (length < 31) word[length++] = tolower(c); continue; }
        if (!length) continue;
        word[length] = 0;
        length = 0;
        int i = 0;
        while (i < known && strcmp(words[i].text, word)) i++;
        if (i == known) strcpy(words[known++].text, word);
        words[i].count++;
    } while (c != EOF);
    qsort(words, known, sizeof *words, by_count);
    printf("words:");
    for (int i = 0; i < 5 && i < known; i++) printf(" %s=%d", words[i].text, words[i].count);
    printf("\n");
}

static long long seed = 42;
static long long next_random(void) { return seed = seed * 48271 % 2147483647; }

static void merge_sort(long long *items, long long *spare, int n) {
    if (n < 2) return;
    int half = n / 2, i = 0, j = half, k = 0;
    merge_sort(items, spare, half);
    merge_sort(items + half, spare, n - half);
    while (i < half && j < n) spare[k++] = items[i] <= items[j] ? items[i++] : items[j++];
    while (i < half) spare[k++] = items[i++];
    while (j < n) spare[k++] = items[j++];
    memcpy(items, spare, n * sizeof *items);
}

static int lower_bound(const long long *items, int n, long long wanted) {
    int low = 0, high = n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (items[middle] < wanted) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void multiply(long long a[2][2], long long b[2][2], long long modulus) {
    long long r[2][2];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) r[i][j] = (a[i][0] * b[0][j] + a[i][1] * b[1][j]) % modulus;
    memcpy(a, r, sizeof r);
}

static int queens(int n, int row, int columns, int left, int right) {
    if (row == n) return 1;
    int count = 0;
    for (int free = ((1 << n) - 1) & ~(columns | left | right), bit; free; free ^= bit) {
        bit = free & -free;
        count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

typedef struct Shape { int (*area)(const struct Shape *); int a, b; } Shape;
static int circle_area(const Shape *s) { return 314 * s->a * s->a / 100; }
static int rectangle_area(const Shape *s) { return s->a * s->b; }

int main(void) {
    int n, m, k, heads[64];
    Edge edges[64];
    long distances[64];
    char line[MAX_LINE];
    if (scanf("%d %d", &n, &m) != 2) return 1;
    for (int i = 0; i < n; i++) heads[i] = -1;
    for (int i = 0, source; i < m; i++) {
        if (scanf("%d %d %d", &source, &edges[i].target, &edges[i].weight) != 3) return 1;
        edges[i].next = heads[source];
        heads[source] = i;
    }
    shortest_paths(n, heads, edges, distances);
    printf("dist:");
    for (int i = 0; i < n; i++) printf(" %ld", distances[i]);
    printf("\n");
    if (scanf("%d\n", &k) != 1) return 1;
    for (int i = 0; i < k && fgets(line, sizeof line, stdin); i++) {
        line[strcspn(line, "\n")] = 0;
        evaluate(line);
    }
    count_words(stdin);
    static long long items[2000], spare[2000];
    for (int i = 0; i < 2000; i++) items[i] = next_random();
    merge_sort(items, spare, 2000);
    long long checksum = 0;
    for (int i = 0; i < 2000; i++) checksum = (checksum + (i + 1) * items[i]) % PRIME;
    printf("sorted: %lld %lld %lld %d\n", items[0], items[1999], checksum, lower_bound(items, 2000, items[777]));
    static char composite[20000];
    long count = 0, sum = 0;
    for (int i = 2; i < 20000; i++) {
        if (composite[i]) continue;
        count++;
        sum += i;
        for (long j = (long)i * i; j < 20000; j += i) composite[j] = 1;
    }
    printf("primes: %ld %ld\n", count, sum);
    int order[3], used = 0, hits = 0, misses = 0;
    for (int i = 0; i < 200; i++) {
        int key = next_random() % 6, position = 0;
        while (position < used && order[position] != key) position++;
        if (position < used) hits++;
        else { misses++; if (used < 3) used++; position = used - 1; }
        memmove(order + 1, order, position * sizeof *order);
        order[0] = key;
    }
    printf("cache: %d %d order %d %d %d\n", hits, misses, order[0], order[1], order[2]);
    long long result[2][2] = {{1, 0}, {0, 1}}, base[2][2] = {{1, 1}, {1, 0}};
    for (long e = 1000000000; e; e >>= 1) {
        if (e & 1) multiply(result, base, 1000007);
        multiply(base, base, 1000007);
    }
    printf("fib: %lld\n", result[0][1]);
    int digits[64] = {1}, length = 1;
    for (int f = 2; f <= 30; f++) {
        int carry = 0;
        for (int i = 0; i < length; i++) { carry += digits[i] * f; digits[i] = carry % 10; carry /= 10; }
        while (carry) { digits[length++] = carry % 10; carry /= 10; }
    }
    printf("factorial: ");
    while (length) printf("%d", digits[--length]);
    printf("\nqueens: %d\nshapes:", queens(8, 0, 0, 0, 0));
    Shape shapes[] = {{circle_area, 10, 0}, {rectangle_area, 3, 4}, {circle_area, 7, 0}, {rectangle_area, 5, 5}};
    int total = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) { int area = shapes[i].area(&shapes[i]); total += area; printf(" %d", area); }
    printf(" total %d\n", total);
    return 0;
}
