/* SPDX-License-Identifier: MIT */
#ifndef IL_WAIT_CANCEL_H
#define IL_WAIT_CANCEL_H

/*
 * The cancellation tree. Every task and every scope is a node. Cancelling a node cancels all below
 * it: their status is set, and a cancellable wait of their owner is claimed with -ECANCELED.
 *
 * A task that never waits never enters the tree; it looks at its own status and at that of its
 * parent, which is a scope. Scopes are linked from the moment they are opened. A task is linked
 * into its parent when it first waits, and from then on what befalls the parent is passed down.
 *
 * A deadline is passive: each wait below is bounded by it, and whoever finds that it has passed
 * cancels the node that it belongs to with -ETIMEDOUT.
 */

#include <interlock/time.h>

#include "base/list.h"
#include "os/spin.h"

typedef struct il__agent il__agent;

typedef struct il__cancel {
    struct il__cancel *parent; /* set at init */
    il_time deadline;          /* set at init: never later than the parent's */
    int status;                /* atomic; 0, or why it was cancelled: set once */
    il__spin lock;             /* parent before child */
    il__agent
        *owner; /* whose waits end with it; NULL: it is not in the tree. Owner writes, locked */
    il__list children; /* guarded by lock; of a root, or of one that is in the tree */
    il__link link;     /* in parent->children; guarded by parent->lock */
} il__cancel;

/* Prepare a node below `parent` (may be NULL). deadline 0: the parent's. */
static inline void il__cancel_init(il__cancel *node, il__cancel *parent, il_time deadline)
{
    il_time bound = parent ? parent->deadline : IL_FOREVER;
    node->parent = parent;
    node->deadline = !deadline || deadline > bound ? bound : deadline;
    node->status = 0;
    node->lock = (il__spin){ 0 };
    node->owner = NULL;
    if (!parent) node->children = (il__list){ 0 };
}

/* Enter the tree on behalf of `owner`, the current agent; leave it again. Both are nothing the
 * second time. After leaving, the node may be freed if nobody else can name it. */
void il__cancel_enter(il__cancel *node, il__agent *owner);
void il__cancel_leave_tree(il__cancel *node);
static inline void il__cancel_leave(il__cancel *node)
{
    if (node->owner) il__cancel_leave_tree(node);
}

/* Cancel the node with `status` and all below with -ECANCELED. Only the first time counts. */
void il__cancel_fire(il__cancel *node, int status);

/* Why this node should stop, or 0. Its owner only, or nobody else if it is in no tree. Also sees to a
 * deadline that has passed. */
int il__cancel_status_by(il__cancel *node);
static inline int il__cancel_status(il__cancel *node)
{
    /* acquire: what was done before the cancelling is seen by who stops because of it */
    int status = il__load_acquire(&node->status);
    if (!status && !node->owner && node->parent) status = il__load_acquire(&node->parent->status);
    return status || node->deadline == IL_FOREVER ? status : il__cancel_status_by(node);
}

/* Cancel the highest node at or above this whose deadline has passed. */
void il__cancel_expire(il__cancel *node, il_time now);

#endif
