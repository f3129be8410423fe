/*
 * tests/install/consumer.c - the smallest program that uses an installed hakmem; compiled as C and as C++.
 */
#include <hakmem.h>

int main(void) {
    hak_stats_t stats = HAK_STATS_INIT;
    void *block = hak_malloc(48);
    if (block == NULL || hak_stats_get(&stats) != 0 || hak_usable_size(block) < 48) return 1;
    hak_free(block);
    return hak_version()[0] == HAK_VERSION_STRING[0] ? 0 : 1;
}
