/* module.c - a module that frees what others made, and the other way round. */
#include <stdlib.h>

void take(void *block) { free(block); }
void *give(void) { return malloc(3000); }
