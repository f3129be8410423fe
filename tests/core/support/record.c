/*
 * support/record.c - sizes from operands.
 */
#include "support/record.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

enum { BORDERS = 48, BORDERS_OF_ROW = 8 };

static const size_t borders[BORDERS / BORDERS_OF_ROW][BORDERS_OF_ROW] = {
    {0, 1, 8, 9, 16, 17, 24, 25},
    {32, 33, 128, 129, 512, 513, 1024, 1025},
    {2048, 2049, 4095, 4096, 4097, 8192, 8193, 16384},
    {16385, 28672, 32 * KIB - 32, 32 * KIB - 31, 32 * KIB, 32 * KIB + 1, 36 * KIB, 64 * KIB},
    {64 * KIB + 1, 128 * KIB, 192 * KIB, 512 * KIB, 960 * KIB, 1 * MIB - 1, 1 * MIB, 1 * MIB + 1},
    {2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 3 * MIB, 4 * MIB, 4 * MIB + 1, 9 * MIB, 20 * MIB},
};

static size_t border(size_t index) { return borders[index / BORDERS_OF_ROW][index % BORDERS_OF_ROW]; }

size_t record_size(uint16_t operand) {
    size_t scale = operand >> 13, value = operand & 0x1FFF;
    switch (scale) {
    case 0:
    case 1: return value % 513;
    case 2: return value % 129;
    case 3: return value % 128 < BORDERS ? border(value % 128) : value % 65;
    case 4: return value % 2049;
    case 5: return value;
    case 6: return value * 5;
    default: return value % 16 != 0 ? 30000 + value * 10 : value * 500;
    }
}
