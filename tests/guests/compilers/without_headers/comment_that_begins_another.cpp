/* a */ /* b
#include <iostream>
*/
int main() { std::cout << "ok\n"; }
