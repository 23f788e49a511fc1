"""Java: a pre-started virtual machine, and the compiler beside it."""
