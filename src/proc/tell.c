/* SPDX-License-Identifier: MIT */
/*
 * What a worker is told besides its tasks, through its socket: modules, regions, blocks. It reads its
 * mail before each task, so whatever a task needs is sent before the task is posted.
 */

#include <unistd.h>

#include "base/memory.h"
#include "os/futex.h"
#include "os/shared.h"
#include "proc/pool.h"

int il__crew_send_mail(il__process *process, il__mail *mail, int descriptor)
{
    int status =
        il__message_send(process->socket, mail, sizeof *mail, &descriptor, descriptor >= 0);
    if (!status) il__store_seq(&process->lane->mail, ++process->mail); /* pairs with read_mail */
    return status;
}

void il__wake_worker(il__process *process)
{
    /* What it is to see was stored before, in sequentially consistent order. */
    if (il__likely(!il__load_seq(&process->lane->asleep))) return;
    il__add(&process->lane->wake, 1);
    il__futex_wake_across(&process->lane->wake, 1);
}

int il__tell_region(il__process *process, const il__region *region)
{
    for (size_t i = 0; i < process->region_count; i++)
        if (process->regions[i] == region->number) return 0;
    if (process->region_count == process->region_room) {
        size_t room = process->region_room ? 2 * process->region_room : 16;
        uint32_t *grown = il__realloc(process->regions, room * sizeof *grown);
        if (!grown) return -ENOMEM;
        process->regions = grown;
        process->region_room = room;
    }
    il__mail mail = {
        .kind = IL__MAIL_REGION,
        .number = region->number,
        .size = region->size,
        .where = (uintptr_t)region->memory,
    };
    int status = il__crew_send_mail(process, &mail, region->descriptor);
    if (!status) process->regions[process->region_count++] = region->number;
    return status;
}

void il__crew_forget_regions(il__crew *crew)
{
    uint32_t freed = il__regions_freed();
    if (freed == crew->regions_freed) return;
    crew->regions_freed = freed;
    for (unsigned k = 0; k < crew->executor.workers; k++) {
        il__process *process = &crew->processes[k];
        for (size_t i = process->region_count; i-- > 0;) {
            if (il__region_lives(process->regions[i])) continue;
            il__mail mail = { .kind = IL__MAIL_FORGET, .number = process->regions[i] };
            if (il__crew_send_mail(process, &mail, -1)) continue;
            process->regions[i] = process->regions[--process->region_count];
        }
        if (process->state != IL__ABSENT) il__wake_worker(process);
    }
}

void il__crew_tell_modules(il__crew *crew, il__process *process)
{
    while (process->modules_told < crew->module_count) {
        il__mail mail = {
            .kind = IL__MAIL_MODULE,
            .number = process->modules_told,
            .module = crew->modules[process->modules_told],
        };
        if (il__crew_send_mail(process, &mail, -1)) return;
        process->modules_told++;
    }
}

/* --- Blocks ----------------------------------------------------------------------------------- */

void il__block_free(il__block *block)
{
    if (block->memory) il__shared_unmap(block->memory, block->size);
    *block = (il__block){ .memory = NULL };
}

void il__blocks_free(il__process *process)
{
    for (unsigned i = 0; i < IL__SLOTS; i++) il__block_free(&process->blocks[i]);
}

int il__block_provide(il__crew *crew, il__process *process, unsigned slot, size_t size)
{
    il__block *block = &process->blocks[slot];
    if (block->size >= size) return 0;
    size_t room = 1 << 16;
    while (room < size && room < (size_t)1 << 62) room *= 2;
    void *memory;
    int descriptor;
    int status = il__shared_new("interlock", room, &memory, &descriptor);
    if (status) return status;
    il__mail mail = {
        .kind = IL__MAIL_BLOCK,
        .number = ++crew->block_number,
        .slot = slot,
        .size = room,
    };
    status = il__crew_send_mail(process, &mail, descriptor);
    close(descriptor);
    if (status) {
        il__shared_unmap(memory, room);
        return status;
    }
    il__block_free(block);
    *block = (il__block){ memory, room, mail.number };
    return 0;
}
