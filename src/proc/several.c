/* SPDX-License-Identifier: MIT */
/*
 * Waiting for one of several processes, or for one in a select.
 *
 * The gate is that of the watch of its pidfd. It opens once and stays open, and somebody must have told
 * the watcher to look (arm it) before anybody waits there; that may need memory.
 */

#include <errno.h>

#include "base/memory.h"
#include "proc/process.h"
#include "wait/choice.h"

enum { FEW = 16 };

static bool has_failed(int status, const il_exit *end)
{
    return status || end->code || end->signal;
}

/* Has come true what is waited for? */
static bool is_settled(il_process *const *processes, size_t count, il_wait_for wait_for)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        il_exit end = { 0 };
        int status = processes[i] ? il_process_wait(processes[i], IL_NOW, &end) : -EINVAL;
        if (!processes[i]) continue;
        if (status == -EAGAIN) left++;
        else if (wait_for == IL_ANY || has_failed(status, &end)) return true;
    }
    return !left;
}

static int arm_all(il_process *const *processes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool runs = processes[i] && !il__load_acquire(&processes[i]->ended);
        int status = runs ? il__watch_arm(&processes[i]->end) : 0;
        if (status) return status;
    }
    return 0;
}

/* Until one that runs may have ended. */
static int wait_for_one(il_process *const *processes, size_t count, il__waiter *waiters,
                        il_time until)
{
    il__agent *self = il__self();
    bool ready = false;
    int status = arm_all(processes, count);
    if (status) return status;

    il__wait_begin(self, "processes", processes, IL__CANCELS);
    for (size_t i = 0; i < count; i++) {
        waiters[i] = (il__waiter){ .agent = self };
        if (!processes[i] || il__load_acquire(&processes[i]->ended)) continue;
        il__gate *gate = &processes[i]->end.gate;
        uint64_t word = il__gate_lock(gate);
        bool open = il__watch_is_ready(&processes[i]->end);
        if (!open) il__gate_add(gate, &waiters[i]);
        il__gate_unlock(gate, word);
        ready |= open;
    }
    if (ready && il__claim(self, 0)) il__or(&self->word, IL__WOKEN);
    status = il__wait(self, until);
    for (size_t i = 0; i < count; i++)
        if (processes[i]) il__gate_leave(&processes[i]->end.gate, &waiters[i]);
    return status < 0 ? status : 0;
}

static int wait_for_all(il_process *const *processes, size_t count, il_time until)
{
    for (size_t i = 0; i < count; i++) {
        int status = processes[i] ? il_process_wait(processes[i], until, NULL) : 0;
        if (status && status != -ECHILD) return status;
    }
    return 0;
}

int il_process_wait_many(il_process *const *processes, size_t count, il_wait_for wait_for,
                         il_time until)
{
    il__waiter few[FEW], *waiters = few;
    int status = 0;

    if (wait_for == IL_ALL) return wait_for_all(processes, count, until);
    if (is_settled(processes, count, wait_for)) return 0;
    if (until == IL_NOW) return -EAGAIN;
    if (count > FEW && !(waiters = il__alloc(count * sizeof *waiters))) return -ENOMEM;
    do status = wait_for_one(processes, count, waiters, until);
    while (!status && !is_settled(processes, count, wait_for));
    if (waiters != few) il__free(waiters);
    return status;
}

/* --- Select ---------------------------------------------------------------------------------- */

static il__gate *gate_of(const il_case *what)
{
    return &((il_process *)what->il__on)->end.gate;
}

static bool is_promising(const il_case *what)
{
    il_process *process = what->il__on;
    return il_process_wait(process, IL_NOW, NULL) != -EAGAIN || !il__watch_is_armed(&process->end);
}

static int take(il_case *what, il__waiter **woken)
{
    (void)woken;
    il_process *process = what->il__on;
    if (il__load_acquire(&process->ended) || il__watch_is_ready(&process->end)) return 0;
    return il__watch_is_armed(&process->end) ? -EAGAIN : -ENOMEM;
}

static int arm(il_case *what)
{
    return il__watch_arm(&((il_process *)what->il__on)->end);
}

const il__choice il__choice_exited = {
    .gate = gate_of,
    .promising = is_promising,
    .take = take,
    .make_room = arm,
};
