#include <iostream>
#include "mine.h"
int main() { }
