/* answerer.c - the library that asker.c opens. */
int answer(void) { return 42; }
