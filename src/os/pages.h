/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_PAGES_H
#define IL_OS_PAGES_H

/* Memory in pages: for stacks. */

#include <stdbool.h>
#include <stddef.h>

size_t il__page_size(void);

/* Reserve `size` bytes, zero when touched, cost nothing until then; NULL when refused. */
void *il__pages_map(size_t size);
void il__pages_unmap(void *pages, size_t size);

/* Make [pages, pages + size) fault. Where the kernel can (6.13), with no mapping of its own, so that
 * a million guards do not meet vm.max_map_count. False when the ceiling was met. */
bool il__pages_guard(void *pages, size_t size);

/* Give the memory back; the pages stay and are zero again. Guards stay. */
void il__pages_release(void *pages, size_t size);

/* How many bytes of [pages, pages + size) are in memory, counted from the end down to the first hole. */
size_t il__pages_used_from_end(void *pages, size_t size);

#endif
