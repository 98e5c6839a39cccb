/* SPDX-License-Identifier: MIT */
/* Regions of shared memory: an array, guarded by `lock`. There are few. */

#include "proc/region.h"

#include <unistd.h>

#include <interlock/processes.h>

#include "base/memory.h"
#include "os/pages.h"
#include "os/shared.h"
#include "os/spin.h"

static il__spin lock;
static il__region *regions;
static size_t count, capacity;
static uint32_t last_number, freed;

static bool add(const il__region *region)
{
    bool added = count < capacity;
    il__spin_lock(&lock);
    if (count == capacity) {
        size_t more = capacity ? 2 * capacity : 16;
        il__region *grown = il__realloc(regions, more * sizeof *grown);
        if (grown) {
            regions = grown;
            capacity = more;
        }
    }
    added = count < capacity;
    if (added) {
        regions[count] = *region;
        regions[count].number = ++last_number;
        il__store(&count, count + 1);
    }
    il__spin_unlock(&lock);
    return added;
}

void *il_shared_alloc(size_t size)
{
    size_t page = il__page_size();
    il__region region = { .size = (size + page - 1) & ~(page - 1) };
    void *memory;
    if (!region.size || region.size < size) return NULL;
    if (il__shared_new("interlock", region.size, &memory, &region.descriptor)) return NULL;
    region.memory = memory;
    if (add(&region)) return memory;
    il__shared_unmap(memory, region.size);
    close(region.descriptor);
    return NULL;
}

void il_shared_free(void *memory)
{
    il__region found = { .memory = NULL };
    if (!memory) return;
    il__spin_lock(&lock);
    for (size_t i = 0; i < count && !found.memory; i++) {
        if (regions[i].memory != memory) continue;
        found = regions[i];
        regions[i] = regions[count - 1];
        il__store(&count, count - 1);
        il__add(&freed, 1);
    }
    il__spin_unlock(&lock);
    if (!found.memory) return;
    il__shared_unmap(found.memory, found.size);
    close(found.descriptor);
}

bool il__region_of(const void *memory, size_t size, il__region *out_region)
{
    const char *bytes = memory;
    bool found = false;
    if (!memory || !il__load(&count)) return false;
    il__spin_lock(&lock);
    for (size_t i = 0; i < count && !found; i++) {
        const il__region *region = &regions[i];
        size_t at = (size_t)(bytes - region->memory);
        found = bytes >= region->memory && at <= region->size && size <= region->size - at;
        if (found) *out_region = *region;
    }
    il__spin_unlock(&lock);
    return found;
}

uint32_t il__regions_freed(void)
{
    return il__load(&freed);
}

bool il__region_lives(uint32_t number)
{
    bool lives = false;
    il__spin_lock(&lock);
    for (size_t i = 0; i < count; i++) lives |= regions[i].number == number;
    il__spin_unlock(&lock);
    return lives;
}
