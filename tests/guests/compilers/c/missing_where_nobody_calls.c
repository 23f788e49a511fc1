int missing(void);
int f(void) { return missing(); }
int main(void) { }
