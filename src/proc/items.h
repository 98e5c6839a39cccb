/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_ITEMS_H
#define IL_PROC_ITEMS_H

/* The items of a slot, in a worker. */

#include <interlock/map.h>

#include "proc/lane.h"
#include "task/task.h"

typedef struct il__items {
    il__slot *slot;
    il_fn *fn;
    il__apply *apply;
    char *in, *out; /* the first item, or the window */
    il__cancel *node;
    il__frame *frame;
    const il__afar *afar;
    pid_t parent;
    int parent_fd;

    uint64_t base;   /* the item that the window begins with */
    uint64_t length; /* of a stretch */
} il__items;

/* Run them; what came of it stands in the slot. */
void il__items_run(il__items *items);

/* Item `index` has failed, which matters if it is the first. */
void il__items_fail(il__slot *slot, uint64_t index, int status, il__frame *frame);

/* Message, file and cause of an error, each with its 0. */
void il__words_write(char *words, size_t size, const il_error *error, int32_t *out_line);

#endif
