int maybe(void) __attribute__((weak));
int main(void) { return maybe ? 1 : 3; }
