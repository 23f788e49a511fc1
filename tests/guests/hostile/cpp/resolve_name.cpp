// expect: AC
// attack: T26 resolve_name: names resolve to nothing, and at once
// alone: a jail with the way out would ask servers that are not the test's
#include <initializer_list>
#include <chrono>
#include <cstdio>
#include <netdb.h>
int main() {
    using clock = std::chrono::steady_clock;
    const auto begun = clock::now();
    for (const char *name : {"example.com", "sqs.eu-central-1.amazonaws.com"})
        if (gethostbyname(name)) std::printf("ESCAPED resolved %s\n", name);
    if (clock::now() - begun > std::chrono::seconds(2)) std::puts("ESCAPED a refusal took its time");
}
