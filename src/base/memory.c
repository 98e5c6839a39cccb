/* SPDX-License-Identifier: MIT */
/* Allocation: that of libc, and a way to make it fail on purpose. */

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"

#ifdef IL_FAULT
static unsigned long asked, refuse_at;

bool il__refused(void)
{
    return il__add(&asked, 1) + 1 == il__load(&refuse_at);
}

unsigned long il__refuse(unsigned long nth)
{
    il__store(&refuse_at, nth);
    return il__swap(&asked, 0);
}
#endif

void *il__alloc(size_t size)
{
    return il__refused() ? NULL : malloc(size);
}

void *il__zalloc(size_t size)
{
    return il__refused() ? NULL : calloc(1, size);
}

void *il__aligned_alloc(size_t alignment, size_t size)
{
    size = (size + alignment - 1) & ~(alignment - 1);
    return il__refused() ? NULL : aligned_alloc(alignment, size);
}

void *il__aligned_zalloc(size_t alignment, size_t size)
{
    void *memory = il__aligned_alloc(alignment, size);
    return memory ? memset(memory, 0, size) : NULL;
}

void *il__realloc(void *memory, size_t size)
{
    return il__refused() ? NULL : realloc(memory, size);
}

char *il__copy_string(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = il__alloc(size);
    return copy ? memcpy(copy, string, size) : NULL;
}

void il__free(void *memory)
{
    free(memory);
}
