/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_LIST_H
#define IL_BASE_LIST_H

/*
 * Intrusive doubly linked list. A link that is in no list has next == NULL, so that an object can
 * tell whether it is linked. Guarded by whatever guards the list.
 */

#include <stdbool.h>
#include <stddef.h>

typedef struct il__link {
    struct il__link *next, *prev;
} il__link;

/* All zero is an empty list. */
typedef struct il__list {
    il__link *first, *last;
} il__list;

/* The object of `type` whose `member` is `link`. */
#define il__of(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* The end of a list is marked by a link to this, never NULL, so that `next` can say "linked". */
#define IL__LIST_END ((il__link *)1)

static inline bool il__linked(const il__link *link)
{
    return link->next != NULL;
}

static inline il__link *il__list_first(const il__list *list)
{
    return list->first;
}

static inline il__link *il__list_next(const il__link *link)
{
    return link->next == IL__LIST_END ? NULL : link->next;
}

static inline void il__list_append(il__list *list, il__link *link)
{
    link->next = IL__LIST_END;
    link->prev = list->last;
    if (list->last) list->last->next = link;
    else list->first = link;
    list->last = link;
}

static inline void il__list_remove(il__list *list, il__link *link)
{
    il__link *next = il__list_next(link);
    if (next) next->prev = link->prev;
    else list->last = link->prev;
    if (link->prev) link->prev->next = link->next;
    else list->first = next;
    link->next = link->prev = NULL;
}

static inline il__link *il__list_take(il__list *list)
{
    il__link *link = list->first;
    if (link) il__list_remove(list, link);
    return link;
}

#endif
