/*
 * driver.h - main of a test of glibc's: TEST_RESULT, or 1 where a check failed.
 *
 * Where the test asks for its driver it includes this, after TEST_RESULT (test_glibc.py).
 */
#include "support.h"

#ifndef TEST_FUNCTION
#define TEST_FUNCTION do_test
#endif

int main(void) {
    failure_count = xmmap(NULL, sizeof *failure_count, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int result = TEST_RESULT;
    return result != 0 ? result : *failure_count != 0;
}
