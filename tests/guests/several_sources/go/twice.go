package main

func twice(a int) int { return 2 * a }
