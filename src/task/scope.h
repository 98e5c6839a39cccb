/* SPDX-License-Identifier: MIT */
#ifndef IL_TASK_SCOPE_H
#define IL_TASK_SCOPE_H

/* The scope as tasks see it. */

#include <interlock/scope.h>

#include "wait/gate.h"

/* What ends with its scope, but does not keep it from ending: a generator that waits to be asked. */
typedef struct il__ward {
    il__link link; /* in scope->wards; guarded by scope->gate */
    /* Under the gate's lock: keep it in memory until end() has returned. */
    void (*hold)(struct il__ward *ward);
    /* Let it end. It is a child from now on, until it has (il__scope_enter, il__scope_leave). */
    void (*end)(struct il__ward *ward);
} il__ward;

struct il_scope {
    il__cancel cancel; /* below the opener's node at the time */
    uint64_t started;  /* children that the opener has started since it last joined; opener only */
    il__gate gate;     /* state: number of the others; guards what follows */
    il__error *error;  /* of the first child that failed */
    int status;        /* of that one, or 0 */
    unsigned more;     /* further failures */
    il_future *failed; /* futures that failed, newest first, each with a reference */
    il__list wards;
    il__agent *opener; /* set at init, as is the rest */
    il_scope *outer;
    il__cancel *outer_cancel;
    il_executor *executor; /* NULL: in place */
    const char *name;
};

/* One child more, one less. After the last leave the scope may be gone. */
void il__scope_enter_from_inside(il_scope *scope);
static inline void il__scope_enter(il_scope *scope)
{
    if (il__likely(scope->opener == il__self())) scope->started++;
    else il__scope_enter_from_inside(scope);
}
void il__scope_leave(il_scope *scope);

/* A child of il_go failed: takes the error; the first one cancels the others. */
void il__scope_fail(il_scope *scope, int status, il__error *error);

/* A future of this scope failed: keep a reference until somebody has looked at it or the scope ends. */
void il__scope_keep_failed(il_scope *scope, il_future *future);

/* Enter a ward; let go of it, nothing if it is not in. Only while the scope is kept from ending. */
void il__scope_add_ward(il_scope *scope, il__ward *ward);
void il__scope_remove_ward(il_scope *scope, il__ward *ward);

#endif
