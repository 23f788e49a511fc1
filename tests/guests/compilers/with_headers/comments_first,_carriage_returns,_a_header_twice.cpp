// a
/* b */

  #  include <iostream> // c
#include <iostream>
#include <vector>
int main() { std::cout << "ok\n"; }
