#include <iostream>
int main(void) { }
