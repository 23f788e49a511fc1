// Makes a checker of sio2 a testlib checker: docs/coming-from-other-judges.md shows the request.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

// A main that ends without return is valid; the same function under another name is not, if it is optimised.
#pragma GCC push_options
#pragma GCC optimize("O0")
#define main checker_main
#include "checker.h"
#undef main
#pragma GCC pop_options

static int call(int (*called)(int, char **), char **words) { return called(4, words); }
static int call(int (*called)(int, const char **), char **words) { return called(4, const_cast<const char **>(words)); }

// Arguments: input, output, answer, as of a sio2 checker, and then the points of a case (100).
int main(int count, char **words) {
    int ends[2], status = 0;
    if (pipe(ends) != 0) return 3;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        exit(call(checker_main, words));
    }
    close(ends[1]);
    char verdict[16] = "", comment[4096] = "", share[32] = "";
    FILE *said = fdopen(ends[0], "r");
    if (child < 0 || !fgets(verdict, sizeof verdict, said)) verdict[0] = 0;
    if (!fgets(comment, sizeof comment, said)) comment[0] = 0;
    if (!fgets(share, sizeof share, said)) share[0] = 0;
    while (fgetc(said) != EOF) {}  // so that it never meets a closed pipe
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) return 3;
    char *rest = share;
    double percent = strspn(share, " \r\n") == strlen(share) ? 100 : strtod(share, &rest);
    if (*rest == '/') percent /= atof(rest + 1);  // a fraction, such as 100/3
    double points = percent / 100 * (count > 4 ? atof(words[4]) : 100);
    if (strncmp(verdict, "OK", 2) == 0 && percent < 100) {
        fprintf(stderr, "points %.6f %s", points, comment);
        return 7;
    }
    fputs(comment, stderr);
    return strncmp(verdict, "OK", 2) == 0 ? 0 : strncmp(verdict, "WRONG", 5) == 0 ? 1 : 3;
}
