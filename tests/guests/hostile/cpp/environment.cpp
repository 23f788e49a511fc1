// expect: AC
// attack: T29 environment: looks for credentials by the names that clouds give them
// control: clean_environment
#include <initializer_list>
#include <cstdio>
#include <cstdlib>
#include <fstream>
int main() {
    for (const char *name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_LAMBDA_RUNTIME_API", "RUSTBOX_QUEUE_URL"})
        if (const char *value = std::getenv(name)) std::printf("ESCAPED %s is %s\n", name, value);
    if (std::ifstream("/proc/1/environ").get() != EOF) std::puts("ESCAPED read the environment of process 1");
}
