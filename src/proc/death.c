/* SPDX-License-Identifier: MIT */
/*
 * Death of a worker: the states of its slots say what it had not begun, what it has done, and what
 * it died of. And of the hope for workers, which fails all that waits.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "proc/pool.h"

/* Lines on standard error, newlines and all, as a piece of one line. */
static void quote(char *room, size_t size, const il__process *process)
{
    size_t at = 0;
    if (size) room[0] = 0;
    for (size_t i = 0; i < process->word_count && at + 2 < size; i++) {
        unsigned char c = (unsigned char)process->last_words[i];
        bool last = i + 1 == process->word_count;
        if (c == '\n' && last) break;
        if (c == '\n') {
            room[at++] = ' ';
            room[at++] = '/';
            c = ' ';
        }
        if (at + 1 < size) room[at++] = c < ' ' ? '?' : (char)c;
    }
    if (size) room[at < size ? at : size - 1] = 0;
}

static il__error *error_of_death(const il__process *process, const il__parcel *parcel, int status,
                                 int64_t peak)
{
    char words[IL__LAST_WORDS * 2], said[IL__LAST_WORDS + 256], how[128];
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (signal == SIGXCPU) snprintf(how, sizeof how, "used up its CPU time and was killed");
    else if (signal)
        snprintf(how, sizeof how, "was killed by signal %d (%s)", signal, strsignal(signal));
    else snprintf(how, sizeof how, "exited with %d", WEXITSTATUS(status));
    quote(said, sizeof said, process);
    snprintf(words, sizeof words, "worker process %ld %s, peak memory %.1f MiB%s%s",
             (long)process->pid, how, (double)peak / (1 << 20),
             *said ? ", last words: " : ", without a word", said);
    return il__error_elsewhere(-EOWNERDEAD, process->pid, signal,
                               parcel && parcel->name ? parcel->name : "", "", 0, words, "");
}

/* The one that was running. */
static void fail_victim(il__crew *crew, il__process *process, unsigned number, int wait_status,
                        int64_t peak)
{
    il__slot *slot = &process->lane->slots[number];
    il__parcel *parcel = process->parcels[number];
    bool failed = il__slot_take_results(process, number, parcel, il__slot_items_run(slot, parcel));
    il__slot_release(process, number);
    int status = il__parcel_why_stop(parcel, il_now());
    if (status || parcel->from == parcel->count || (failed && parcel->stop)) {
        il__crew_finish(crew, parcel, status);
        return;
    }
    if (parcel->retries) {
        parcel->retries--;
        il__parcels_put_back(il__crew_queue_of(crew, parcel), parcel);
        return;
    }
    parcel->failed(parcel, parcel->from, -EOWNERDEAD,
                   error_of_death(process, parcel, wait_status, peak));
    parcel->from++;
    if (parcel->from == parcel->count || parcel->stop) il__crew_finish(crew, parcel, 0);
    else il__parcels_put_back(il__crew_queue_of(crew, parcel), parcel);
}

void il__crew_settle(il__crew *crew, il__process *process, int wait_status, int64_t peak)
{
    for (unsigned k = 0; process->held && k < IL__SLOTS; k++) {
        il__parcel *parcel = process->parcels[k];
        if (!parcel) continue;
        if (il__load_acquire(&process->lane->slots[k].state) == IL__DONE) {
            il__crew_take_done(crew, process, k);
            continue;
        }
        parcel = il__slot_withdraw(process, k);
        if (parcel) il__parcels_put_back(il__crew_queue_of(crew, parcel), parcel);
        else fail_victim(crew, process, k, wait_status, peak);
    }
    if (process->state != IL__STARTING) return;
    il__error_unref(crew->start_error);
    crew->start_error = error_of_death(process, NULL, wait_status, peak);
    crew->start_status = -EOWNERDEAD;
}

void il__crew_give_up(il__crew *crew)
{
    il__parcel *parcel;
    while ((parcel = il__crew_take_next(crew))) {
        if (!il__crew_begin(crew, parcel, il_now())) continue;
        if (crew->start_error)
            parcel->failed(parcel, parcel->from, crew->start_status,
                           il__error_ref(crew->start_error));
        il__crew_finish(crew, parcel, crew->start_status);
    }
}
