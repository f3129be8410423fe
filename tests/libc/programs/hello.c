/* hello.c - a program that does nothing of interest. */
#include <stdio.h>

int main(void) { return puts("hello") < 0; }
