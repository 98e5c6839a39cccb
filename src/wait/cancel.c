/* SPDX-License-Identifier: MIT */
/*
 * The cancellation tree.
 *
 * Locks are taken from parent to child, and a walk holds all of those on its path, so that no node
 * can leave under it. The walk is a loop, not a recursion: it may run on the small stack of a
 * fiber while the tree is ten thousand deep.
 *
 * A node that has a status has passed it on to all that were linked below at that time, and
 * whoever is linked later takes it over: so a walk need not descend into such a node again.
 */

#include "wait/cancel.h"

#include <errno.h>

#include "base/probe.h"
#include "wait/wait.h"

/* Set the status unless it has one. Sequentially consistent: see wait.c. */
static bool set_status(il__cancel *node, int status)
{
    int none = 0;
    return il__cas(&node->status, &none, status);
}

void il__cancel_enter(il__cancel *node, il__agent *owner)
{
    il__cancel *parent = node->parent;
    if (node->owner) return;

    il__spin_lock(&node->lock);
    if (parent) node->children = (il__list){ 0 };
    node->owner = owner;
    il__spin_unlock(&node->lock);

    if (!parent) return;
    il__spin_lock(&parent->lock);
    il__list_append(&parent->children, &node->link);
    if (il__load(&parent->status)) set_status(node, -ECANCELED);
    il__spin_unlock(&parent->lock);
}

void il__cancel_leave_tree(il__cancel *node)
{
    il__cancel *parent = node->parent;
    if (parent) {
        il__spin_lock(&parent->lock);
        il__list_remove(&parent->children, &node->link);
        il__spin_unlock(&parent->lock);
    }
    il__spin_lock(&node->lock);
    node->owner = NULL;
    il__spin_unlock(&node->lock);
}

/* An agent owns several nodes when it has scopes open. Its wait obeys the innermost, and the others
 * leave it alone: when it wakes, each scope that it then closes is to know that it was cancelled. */
static void wake_owner(il__cancel *node)
{
    il__agent *owner = node->owner;
    /* Before its word says WAITING, `cancel` may be out of date: but then it sees our status. */
    if (!owner || (il__load_seq(&owner->word) & IL__PHASE) != IL__WAITING) return;
    if (il__load(&owner->cancel) == node && il__claim(owner, IL__BY_CANCEL)) il__deliver(owner);
}

static il__link *first_child(il__cancel *node)
{
    return node->owner || !node->parent ? il__list_first(&node->children) : NULL;
}

static il__cancel *node_of(il__link *link)
{
    return link ? il__of(link, il__cancel, link) : NULL;
}

/* The first of `node` and its elder siblings' successors that has not been cancelled yet, locked
 * and with its status set; NULL when there is none. Their parent is locked. */
static il__cancel *cancel_next(il__cancel *node)
{
    while (node) {
        il__cancel *next = node_of(il__list_next(&node->link));
        il__spin_lock(&node->lock);
        if (set_status(node, -ECANCELED)) return node;
        il__spin_unlock(&node->lock);
        node = next;
    }
    return NULL;
}

void il__cancel_fire(il__cancel *node, int status)
{
    il__cancel *root = node;
    il__probe(IL__PROBE_CANCEL, root);
    il__spin_lock(&root->lock);
    if (!set_status(root, status)) {
        il__spin_unlock(&root->lock);
        return;
    }
    for (;;) { /* node is locked, has its status, is to be visited */
        wake_owner(node);
        il__cancel *next = cancel_next(node_of(first_child(node)));
        while (!next && node != root) {
            il__cancel *parent = node->parent;
            il__cancel *sibling = node_of(il__list_next(&node->link));
            il__spin_unlock(&node->lock);
            next = cancel_next(sibling);
            node = parent;
        }
        if (!next) break;
        node = next;
    }
    il__spin_unlock(&root->lock);
}

void il__cancel_expire(il__cancel *node, il_time now)
{
    il__cancel *highest = NULL;
    for (; node && node->deadline <= now; node = node->parent) highest = node;
    if (highest) il__cancel_fire(highest, -ETIMEDOUT);
}

int il__cancel_status_by(il__cancel *node)
{
    il_time now = il_now();
    if (node->deadline > now) return 0;
    il__cancel_expire(node, now);
    return il__load_acquire(&node->status) ? il__load_acquire(&node->status) : -ECANCELED;
}
