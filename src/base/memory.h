/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_MEMORY_H
#define IL_BASE_MEMORY_H

/*
 * Every allocation of the library, and every other resource that the system can refuse, passes
 * il__refused() on its way. In a test build it can be told to refuse the nth; in the library it is
 * the constant false.
 */

#include <stdbool.h>
#include <stddef.h>

#ifdef IL_FAULT
bool il__refused(void);

/* Refuse the nth resource from now (1: the next one), once; 0: none. Returns how many were asked
 * for since the last call. */
unsigned long il__refuse(unsigned long nth);
#else
static inline bool il__refused(void)
{
    return false;
}
#endif

/* NULL when there is no memory. zalloc: all zero. aligned: `alignment` is a power of two. */
void *il__alloc(size_t size);
void *il__zalloc(size_t size);
void *il__aligned_alloc(size_t alignment, size_t size);
void *il__aligned_zalloc(size_t alignment, size_t size);
void *il__realloc(void *memory, size_t size);
char *il__copy_string(const char *string);
void il__free(void *memory);

#endif
