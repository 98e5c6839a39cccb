/* SPDX-License-Identifier: MIT */
/* What threads and fibers have in common: identity, notes, locals. */

#include "wait/agent.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fatal.h"

void il__agent_reset(il__agent *agent)
{
    if (agent->note) il__agent_note(agent, NULL);
    if (agent->has_locals) {
        memset(agent->locals, 0, sizeof agent->locals);
        agent->has_locals = false;
    }
    il__store(&agent->name, NULL);
}

void il__agent_note(il__agent *agent, il__error *error)
{
    il__error_unref(agent->note);
    agent->note = error;
}

uint64_t il__agent_id_new(il__agent *agent)
{
    static uint64_t last;
    uint64_t id = 0;
    uint64_t fresh = il__add(&last, 1) + 1;
    return il__cas(&agent->id, &id, fresh) ? fresh : id;
}

void il__agent_describe(il__agent *agent, il_info *out_info)
{
    const char *name = il__load(&agent->name);
    uint32_t phase = il__load(&agent->word) & IL__PHASE;
    *out_info = (il_info){
        .state = phase == IL__IDLE      ? IL_RUNNING
                 : phase == IL__WAITING ? IL_BLOCKED
                                        : IL_RUNNABLE,
        .id = il__agent_id(agent),
        .parent = il__load(&agent->parent),
        .waits_for = il__load(&agent->what),
        .waits_on = il__load(&agent->on),
        .since = il__load(&agent->since),
        .waits = il__load(&agent->waits),
        .cpu_time = -1,
    };
    if (name) snprintf(out_info->name, sizeof out_info->name, "%s", name);
}

const char *il_state_name(il_state state)
{
    static const char *const names[] = {
        "new", "starting", "runnable", "running", "blocked", "done", "failed", "canceled",
    };
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "?";
}

size_t il_info_format(const il_info *info, char *buffer, size_t size)
{
    char kernel[32] = "", waits[64] = "";
    if (info->kernel_id) snprintf(kernel, sizeof kernel, " (kernel %ld)", info->kernel_id);
    if (info->waits_for)
        snprintf(waits, sizeof waits, " on a %s at %p", info->waits_for, info->waits_on);
    double age = info->since ? (double)(il_now() - info->since) / 1e9 : 0;
    int length =
        snprintf(buffer, size, "%s %llu \"%s\"%s %s%s for %.3f s",
                 info->kind == IL_THREAD ? "thread" : "fiber", (unsigned long long)info->id,
                 info->name, kernel, il_state_name(info->state), waits, age);
    return length > 0 ? (size_t)length : 0;
}

/* Take over a note of its own. The static records of a process without memory are everybody's. */
static void note_fresh(il__agent *self, il__error *error)
{
    if (il__load(&error->refs)) il__store(&error->fresh, true);
    il__agent_note(self, error);
}

/* Note an error; `cause` is the agent's note if that is why, else NULL: then that is history. */
static int note(il__agent *self, const char *file, int line, int status, bool because,
                const char *format, va_list words)
{
    il__error *cause = NULL;
    if (because && self->note && self->note->public.status == status) {
        cause = self->note;
        self->note = NULL;
    }
    const char *task = self->name ? self->name : "";
    note_fresh(self, il__error_new(status, file, line, task, cause, format, words));
    return status;
}

/* What it received is why it fails; what it noted itself before need have nothing to do with it. */
static bool received(il__agent *self)
{
    return self->note && !il__load(&self->note->fresh);
}

int il_fail_at(const char *file, int line, int status, const char *format, ...)
{
    il__agent *self = il__self();
    va_list words;
    va_start(words, format);
    note(self, file, line, status, received(self), format, words);
    va_end(words);
    return status;
}

int il_explain_at(const char *file, int line, int status, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    note(il__self(), file, line, status, true, format, words);
    va_end(words);
    return status;
}

#undef il_fail
int il_fail(int status, const char *format, ...)
{
    il__agent *self = il__self();
    va_list words;
    va_start(words, format);
    note(self, "", 0, status, received(self), format, words);
    va_end(words);
    return status;
}

#undef il_explain
int il_explain(int status, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    note(il__self(), "", 0, status, true, format, words);
    va_end(words);
    return status;
}

const il_error *il_last_error(void)
{
    il__error *note = il__self()->note;
    return note ? &note->public : NULL;
}

/* Thread-locals that move with the task. Index 0 says "none yet", so that zero-initialised is valid. */
static uint32_t index_of(il_local *local)
{
    static uint32_t last;
    uint32_t index = il__load(&local->il__index);
    if (index) return index - 1;

    uint32_t fresh = il__add(&last, 1) + 1;
    if (fresh > IL__MAX_LOCALS) il__fatal("more than %d il_local in one process", IL__MAX_LOCALS);
    return (il__cas(&local->il__index, &index, fresh) ? fresh : index) - 1;
}

void *il_local_get(il_local *local)
{
    return il__self()->locals[index_of(local)];
}

void il_local_set(il_local *local, void *value)
{
    il__agent *self = il__self();
    self->locals[index_of(local)] = value;
    self->has_locals = true;
}
