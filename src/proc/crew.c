/* SPDX-License-Identifier: MIT */
/*
 * The processes of a pool: starting, watching, replacing, dismissing them. All on the monitor.
 *
 * A worker that cannot start (its initialiser fails or crashes, no process can be had) is tried
 * TRIES times in a row at once; then what waits in the queue fails with that reason, and it is tried
 * again after a while, so that a pool neither hangs nor keeps the machine busy with dying.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/shared.h"
#include "proc/pool.h"
#include "proc/zygote.h"

enum { TRIES = 3, AT_A_TIME = 32, PAUSE = 100, LEAVE = 500 /* milliseconds */, AT_ONCE = 4096 };

/* --- Words on standard error ------------------------------------------------------------------ */

static void keep_words(il__process *process, const char *words, size_t size)
{
    if (size > IL__LAST_WORDS) {
        words += size - IL__LAST_WORDS;
        size = IL__LAST_WORDS;
    }
    size_t kept = process->word_count;
    if (kept + size > IL__LAST_WORDS) {
        size_t drop = kept + size - IL__LAST_WORDS;
        memmove(process->last_words, process->last_words + drop, kept - drop);
        kept -= drop;
    }
    memcpy(process->last_words + kept, words, size);
    process->word_count = kept + size;
}

/* Pass words on to our own standard error, unless nobody takes them there: this thread may not stop. */
static void pass_on(const char *words, size_t size)
{
    struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)) return;
    ssize_t written = write(STDERR_FILENO, words, size);
    (void)written;
}

void il__crew_read_words(il__process *process)
{
    char words[AT_ONCE];
    for (int i = 0; i < 16; i++) { /* not for ever: there are others */
        ssize_t length = process->words < 0 ? 0 : read(process->words, words, sizeof words);
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) return;
        keep_words(process, words, (size_t)length);
        pass_on(words, (size_t)length);
    }
}

/* --- Orders ----------------------------------------------------------------------------------- */

/* The zygote reads all the time, so a full socket is soon empty. */
static int send_order(il__crew *crew, const il__order *order, const int *descriptors, int count)
{
    struct pollfd room = { .fd = crew->control, .events = POLLOUT };
    int status;
    while ((status = il__message_send(crew->control, order, sizeof *order, descriptors, count)) ==
           -EAGAIN)
        if (poll(&room, 1, LEAVE) != 1) break;
    return status;
}

int il__crew_order(il__crew *crew, const il__process *process, uint32_t kind)
{
    il__order order = { .kind = kind, .index = process->index, .serial = process->serial };
    return send_order(crew, &order, NULL, 0);
}

int il__crew_start_zygote(il__crew *crew)
{
    int status = il__zygote_start(crew->name, IL__ZYGOTE_OF_POOL, &crew->control, &crew->zygote);
    if (status) return status;
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = IL__CONTROL };
    il__order hello = { .kind = IL__ORDER_HELLO, .board_size = crew->board_size };
    if (epoll_ctl(crew->poll, EPOLL_CTL_ADD, crew->control, &event)) return -errno;
    return send_order(crew, &hello, (int[]){ crew->board_descriptor, crew->event }, 2);
}

/* --- One worker ------------------------------------------------------------------------------- */

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
}

/* Forget this incarnation. */
static void clear(il__crew *crew, il__process *process)
{
    if (process->state == IL__STARTING) crew->starting--;
    if (process->state != IL__ABSENT) crew->absent++;
    close_descriptor(&process->socket);
    close_descriptor(&process->words);
    il__blocks_free(process);
    if (process->lane) il__shared_unmap(process->lane, il__lane_size());
    il__free(process->regions);
    *process = (il__process){ .index = process->index, .socket = -1, .words = -1 };
}

static int open_lane(il__process *process, int *ends)
{
    void *lane;
    int socket[2], words[2];
    int status = il__shared_new("interlock", il__lane_size(), &lane, &ends[0]);
    if (status) return status;
    process->lane = lane;
    status = il__message_pair(socket);
    if (status) return status;
    process->socket = socket[0];
    ends[1] = socket[1];
    if (il__refused() || pipe2(words, O_CLOEXEC)) return -EMFILE;
    process->words = words[0];
    ends[2] = words[1];
    fcntl(process->words, F_SETFL, O_NONBLOCK);
    for (unsigned i = 0; i < IL__SLOTS; i++) process->free[i] = (unsigned char)(IL__SLOTS - 1 - i);
    process->free_count = IL__SLOTS;
    return 0;
}

static int start_worker(il__crew *crew, il__process *process)
{
    int ends[3] = { -1, -1, -1 };
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = process->index };
    int status = open_lane(process, ends);
    process->serial = ++crew->serial;
    il__order order = { .kind = IL__ORDER_FORK,
                        .index = process->index,
                        .serial = process->serial };
    if (!status && epoll_ctl(crew->poll, EPOLL_CTL_ADD, process->words, &event)) status = -errno;
    if (!status) il__crew_tell_modules(crew, process);
    if (!status) status = send_order(crew, &order, ends, 3);
    for (int i = 0; i < 3; i++) close_descriptor(&ends[i]);
    if (status) {
        clear(crew, process);
        return status;
    }
    process->state = IL__STARTING;
    crew->starting++;
    crew->absent--;
    return 0;
}

static void creation_is_over(il__crew *crew, int status)
{
    if (crew->all_ready) return;
    crew->all_ready = true;
    crew->ready_status = status;
    crew->ready_error = status ? il__error_ref(crew->start_error) : NULL; /* start_error goes on */
    il_event_set(&crew->ready);
}

static void start_failed(il__crew *crew)
{
    crew->failed_starts++;
    creation_is_over(crew, crew->start_status);
    if (crew->failed_starts < TRIES) return;
    crew->retry_at = il_after(IL_MS(PAUSE));
    il__crew_give_up(crew);
}

void il__crew_start_workers(il__crew *crew)
{
    if (!crew->absent || il__load(&crew->stopping) || il_now() < crew->retry_at) return;
    crew->retry_at = IL_NOW;
    for (unsigned i = 0; i < crew->executor.workers && crew->starting < AT_A_TIME; i++) {
        il__process *process = &crew->processes[i];
        if (process->state != IL__ABSENT) continue;
        int status = start_worker(crew, process);
        if (!status) continue;
        crew->start_status = status;
        crew->retry_at = il_after(IL_MS(PAUSE));
        il__error_unref(crew->start_error);
        crew->start_error = il__error_plain(status, "", NULL);
        start_failed(crew);
        break;
    }
}

void il__crew_look_for_ready(il__crew *crew)
{
    for (unsigned i = 0; crew->starting && i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        if (process->state != IL__STARTING) continue;
        if (!il__load_acquire(&process->lane->ready) || process->lane->ready_status) continue;
        process->state = IL__READY;
        process->reaches = process->lane->reaches;
        crew->starting--;
        crew->failed_starts = 0;
    }
    if (!crew->starting && !crew->absent) creation_is_over(crew, 0);
}

/* --- Ends ------------------------------------------------------------------------------------- */

/* The initialiser has said why, or the death has to do. */
static void note_start_error(il__crew *crew, il__process *process, const il__report *report)
{
    int status = process->lane->ready_status;
    char words[IL__SLOT_WORDS + 1] = { 0 };
    if (!report->pid) {
        crew->start_status = report->status;
        il__error_unref(crew->start_error);
        crew->start_error = il__error_plain(report->status, "", NULL);
    } else if (il__load_acquire(&process->lane->ready) && status < 0) {
        memcpy(words, process->lane->ready_words, IL__SLOT_WORDS);
        crew->start_status = status;
        il__error_unref(crew->start_error);
        crew->start_error =
            il__error_elsewhere(status, process->pid, 0, "on_worker_start", "", 0, words, "");
    }
}

static void worker_ended(il__crew *crew, const il__report *report)
{
    if (report->index >= crew->executor.workers) return;
    il__process *process = &crew->processes[report->index];
    if (process->state == IL__ABSENT || process->serial != report->serial) return;
    if (report->pid) process->pid = (pid_t)report->pid;
    bool leaving = il__load(&crew->stopping);
    il__crew_look_for_ready(crew);
    bool starting = process->state == IL__STARTING;
    il__crew_read_words(process);
    il__crew_settle(crew, process, report->status, report->peak);
    if (starting) note_start_error(crew, process, report);
    clear(crew, process);
    if (starting && !leaving) start_failed(crew);
}

/* The kernel has killed it, or is about to: until it is gone it may write to our memory. Should the number
 * be another's already, we wait for nothing, but not for long. */
static void wait_for_death(const il__process *process)
{
    int descriptor = process->pid ? (int)syscall(SYS_pidfd_open, process->pid, 0) : -1;
    struct pollfd gone = { .fd = descriptor, .events = POLLIN };
    if (descriptor < 0) return;
    while (poll(&gone, 1, LEAVE) < 0 && errno == EINTR) {}
    close(descriptor);
}

/* The zygote is gone, and the kernel kills its workers. Start over. */
static void zygote_ended(il__crew *crew)
{
    close_descriptor(&crew->control);
    waitpid(crew->zygote, NULL, 0);
    crew->zygote = 0;
    for (unsigned i = 0; i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        wait_for_death(process);
        worker_ended(crew, &(il__report){ .index = i,
                                          .serial = process->serial,
                                          .pid = process->pid,
                                          .status = SIGKILL });
    }
    if (il__load(&crew->stopping)) return;
    int status = crew->failed_starts < TRIES ? il__crew_start_zygote(crew) : -EOWNERDEAD;
    if (!status) return;
    crew->start_status = status;
    creation_is_over(crew, status);
    il__crew_give_up(crew);
}

void il__crew_read_reports(il__crew *crew)
{
    il__report report;
    int length = 0;
    while (crew->control >= 0) {
        length = il__message_receive(crew->control, &report, sizeof report, NULL, 0);
        if (length == -EAGAIN) return;
        if (length != (int)sizeof report) {
            zygote_ended(crew);
            return;
        }
        if (report.kind == IL__REPORT_ENDED) worker_ended(crew, &report);
        if (report.kind == IL__REPORT_STARTED && report.index < crew->executor.workers) {
            il__process *process = &crew->processes[report.index];
            if (process->serial == report.serial) process->pid = (pid_t)report.pid;
        }
    }
}

void il__crew_dismiss(il__crew *crew)
{
    il_time until = il_after(IL_MS(LEAVE));
    for (unsigned i = 0; i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        if (process->state == IL__ABSENT) continue;
        il__store_seq(&process->lane->leave, 1);
        il__wake_worker(process);
    }
    struct pollfd came = { .fd = crew->control, .events = POLLIN };
    while (crew->control >= 0 && crew->absent < crew->executor.workers && il_now() < until) {
        for (unsigned i = 0; i < crew->executor.workers; i++)
            if (crew->processes[i].state != IL__ABSENT) il__crew_read_words(&crew->processes[i]);
        if (poll(&came, 1, 10) > 0) il__crew_read_reports(crew);
    }
    close_descriptor(&crew->control); /* whoever is left is killed */
    if (crew->zygote) waitpid(crew->zygote, NULL, 0);
    for (unsigned i = 0; i < crew->executor.workers; i++) clear(crew, &crew->processes[i]);
    il__error_unref(crew->start_error);
    crew->start_error = NULL;
}

/* --- Functions -------------------------------------------------------------------------------- */

static int module_number(il__crew *crew, const il__module *module, uint32_t *out_number)
{
    for (uint32_t i = 0; i < crew->module_count; i++) {
        if (memcmp(crew->modules[i].id, module->id, IL__BUILD_ID) != 0) continue;
        if (strcmp(crew->modules[i].path, module->path) != 0) continue;
        *out_number = i;
        return 0;
    }
    il__module *grown = il__realloc(crew->modules, (crew->module_count + 1) * sizeof *grown);
    if (!grown) return -ENOMEM;
    crew->modules = grown;
    grown[crew->module_count] = *module;
    *out_number = crew->module_count++;
    return 0;
}

int il__crew_find_function(il__crew *crew, il_fn *fn, uint32_t *out_module, uint64_t *out_offset)
{
    size_t place = ((uintptr_t)fn >> 4) % IL__CACHED_FUNCTIONS;
    if (crew->functions[place].fn != fn) {
        il__module module;
        int status = il__module_of(fn, &module, &crew->functions[place].offset);
        crew->functions[place].fn = NULL;
        if (!status) status = module_number(crew, &module, &crew->functions[place].module);
        if (status) return status;
        crew->functions[place].fn = fn;
    }
    *out_module = crew->functions[place].module;
    *out_offset = crew->functions[place].offset;
    return 0;
}
