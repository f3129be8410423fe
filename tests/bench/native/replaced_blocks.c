/*
 * replaced_blocks.c - 20 blocks of 5 to 25 MiB live; one after the other is replaced, which one and by how much is
 * random.
 *
 *     replaced_blocks REPLACEMENTS
 *
 * malloc is whichever is preloaded. Each new block is written from end to end. Stands still at the marks base, held and
 * dropped, as shared/child.py wants it, and prints one line of JSON: a sum over what was read back from the blocks, and
 * the processor seconds at the beginning and after each hundredth of the replacements.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCKS = 20, MARKS = 100, MEBIBYTE = 1024 * 1024, SMALLEST_BYTES = 5 * MEBIBYTE, LARGEST_BYTES = 25 * MEBIBYTE };

typedef struct Block {
    unsigned char *bytes;
    size_t size_bytes;
} Block;

static Block blocks[BLOCKS];
static uint64_t state = 24, sum;

static uint64_t random_below(uint64_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

static void stand_still(const char *mark) {
    char answer;
    if (write(1, mark, strlen(mark)) < 0 || read(0, &answer, 1) != 1) exit(1);
}

static void drop(Block *block) {
    if (block->bytes != NULL) sum += block->bytes[0] + block->bytes[block->size_bytes - 1] + block->size_bytes;
    free(block->bytes);
    block->bytes = NULL;
}

static void replace(Block *block, int value) {
    drop(block);
    block->size_bytes = SMALLEST_BYTES + random_below(LARGEST_BYTES - SMALLEST_BYTES);
    block->bytes = malloc(block->size_bytes);
    if (block->bytes == NULL) exit(1);
    memset(block->bytes, value, block->size_bytes);
}

static double seconds_of(clock_t ticks) { return (double)ticks / CLOCKS_PER_SEC; }

int main(int count, char **arguments) {
    long replacements = count > 1 ? strtol(arguments[1], NULL, 10) : 0;
    if (replacements <= 0) return 2;
    stand_still("base\n");
    clock_t marks[MARKS + 1] = {clock()};
    for (long done = 0; done < replacements; done++) {
        replace(&blocks[random_below(BLOCKS)], (int)(done & 255));
        marks[(done + 1) * MARKS / replacements] = clock();
    }
    stand_still("held\n");
    for (int index = 0; index < BLOCKS; index++) drop(&blocks[index]);
    stand_still("dropped\n");
    printf("{\"digest\": \"%llu\", \"cpu_marks\": [%f", (unsigned long long)sum, seconds_of(marks[0]));
    for (int mark = 1; mark <= MARKS; mark++) printf(", %f", seconds_of(marks[mark]));
    printf("]}\n");
    return 0;
}
