/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_REGION_H
#define IL_PROC_REGION_H

/* The memory of il_shared_alloc, as pools find it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct il__region {
    char *memory;
    size_t size;
    uint32_t number; /* never used again */
    int descriptor;
} il__region;

/* The region that [memory, memory + size) lies in. False: in none. */
bool il__region_of(const void *memory, size_t size, il__region *out_region);

/* How many were ever freed; whether this one still lives. */
uint32_t il__regions_freed(void);
bool il__region_lives(uint32_t number);

#endif
