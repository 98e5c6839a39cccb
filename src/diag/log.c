/* SPDX-License-Identifier: MIT */
/*
 * Log lines. Each is put together on the stack and handed to the kernel by one write(), whose own lock
 * of the file (or of the pipe, up to PIPE_BUF) is all the order that there is. So nothing here can be
 * left locked by a process that dies, by a fork, or by a signal.
 *
 * The prefix is made by hand: no locale, no time zone, nothing that a signal handler may not call. The
 * name of the process is asked for once in each process; those who do so at the same time write the
 * same two words.
 */

#include <interlock/log.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/thread.h"
#include "wait/thread_agent.h"

_Static_assert(IL_LOG_LINE <= PIPE_BUF, "a line to a pipe is one piece");

#define TARGET "INTERLOCK_LOG"
#define LEVEL "INTERLOCK_LOG_LEVEL"

enum { UNKNOWN = -1, TAIL = 32 /* bytes kept for "... (123 more)" and the newline */ };

static int target = UNKNOWN; /* atomic: a descriptor */
static int own = UNKNOWN;    /* atomic: the one that we have opened, for ever */
static int least = IL_LOG_DEBUG;
static unsigned long lost;

static const char *const level_names[] = { "DEBUG", "INFO ", "WARN ", "ERROR" };

struct line {
    size_t size;
    char text[IL_LOG_LINE];
};

/* --- Putting a line together ----------------------------------------------------------------- */

static void put(struct line *line, const char *text, size_t size)
{
    size_t room = IL_LOG_LINE - TAIL - line->size;
    if (size > room) size = room;
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* At least `width` digits. */
static void put_number(struct line *line, uint64_t number, int width)
{
    char digits[20];
    int at = sizeof digits;
    do digits[--at] = (char)('0' + number % 10);
    while ((number /= 10, --width > 0) || number);
    put(line, digits + at, sizeof digits - (size_t)at);
}

/* Year, month and day of a day counted from 1970, in the Gregorian calendar. Counted in years that
 * begin in March, so that the odd day comes last: 400 of them have 146,097 days, and the days before
 * each month lie on a line. (Hinnant, "chrono-compatible low-level date algorithms".) */
static void put_date(struct line *line, int64_t days)
{
    days += 719468; /* from the first of March of the year 0 */
    int64_t era = days / 146097, day = days % 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    put_number(line, (uint64_t)(era * 400 + year + (month >= 10)), 4);
    put_string(line, "-");
    put_number(line, (uint64_t)(month < 10 ? month + 3 : month - 9), 2);
    put_string(line, "-");
    put_number(line, (uint64_t)(of_year - (153 * month + 2) / 5 + 1), 2);
}

static void put_time(struct line *line, const struct timespec *now)
{
    int64_t second = now->tv_sec % 86400;
    put_date(line, now->tv_sec / 86400);
    put_string(line, "T");
    put_number(line, (uint64_t)(second / 3600), 2);
    put_string(line, ":");
    put_number(line, (uint64_t)(second / 60 % 60), 2);
    put_string(line, ":");
    put_number(line, (uint64_t)(second % 60), 2);
    put_string(line, ".");
    put_number(line, (uint64_t)now->tv_nsec, 9);
    put_string(line, "Z ");
}

/* What ps shows: the kernel's name of the main thread. */
static void read_process_name(char name[16])
{
    memset(name, 0, 16);
    int file = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, name, 15);
    if (file >= 0) close(file);
    if (size > 0 && name[size - 1] == '\n') name[size - 1] = 0;
}

static void put_process(struct line *line)
{
    static pid_t known; /* atomic: of whom `words` is the name */
    static uint64_t words[2];
    char name[17] = "";
    uint64_t copy[2];
    pid_t self = getpid();
    if (il__load_acquire(&known) != self) {
        read_process_name(name);
        memcpy(copy, name, sizeof copy);
        il__store(&words[0], copy[0]);
        il__store(&words[1], copy[1]);
        il__store_release(&known, self); /* pairs with the acquire above */
    }
    copy[0] = il__load(&words[0]);
    copy[1] = il__load(&words[1]);
    memcpy(name, copy, sizeof copy);
    put_string(line, name);
    put_string(line, "[");
    put_number(line, (uint64_t)self, 1);
    put_string(line, "]");
}

/* Thread and task. */
static void put_names(struct line *line)
{
    const il__thread_agent *thread = il__thread_agent_here();
    const char *task = il__load(&il__self()->name);
    put_string(line, " ");
    if (thread->kernel_id == getpid()) put_string(line, "main");
    else put_string(line, thread->name);
    if (!task) return;
    put_string(line, " \"");
    put_string(line, task);
    put_string(line, "\"");
}

static void begin(struct line *line, il_log_level level, const struct timespec *now)
{
    line->size = 0;
    put_time(line, now);
    put_string(line, level_names[level]);
    put_string(line, " ");
    put_process(line);
}

/* --- Writing --------------------------------------------------------------------------------- */

static void hand_over(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t written = write(fd, text, size);
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd room = { .fd = fd, .events = POLLOUT };
            poll(&room, 1, -1);
        } else if (written >= 0 || errno != EINTR) {
            il__add(&lost, 1);
            return;
        }
    }
}

/* Names and words are somebody's text: they may not look like another line. */
static void end(struct line *line, int fd)
{
    for (size_t i = 0; i < line->size; i++) {
        unsigned char c = (unsigned char)line->text[i];
        if (c < ' ' || c == 127) line->text[i] = ' ';
    }
    line->text[line->size++] = '\n';
    hand_over(fd, line->text, line->size);
}

/* --- Where to -------------------------------------------------------------------------------- */

static int open_file(const char *path)
{
    if (il__refused()) return -EMFILE;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    return fd < 0 ? -errno : fd;
}

static int level_named(const char *name)
{
    for (int i = IL_LOG_DEBUG; name && i <= IL_LOG_ERROR; i++)
        if (!strncmp(name, level_names[i], strcspn(level_names[i], " "))) return i;
    return IL_LOG_DEBUG;
}

/* What the environment says, at the first line of this process. */
static void find_target(void)
{
    const char *path = getenv(TARGET);
    int fd = path && *path ? open_file(path) : STDERR_FILENO, none = UNKNOWN;
    if (fd < 0) fd = STDERR_FILENO;
    il__store(&least, level_named(getenv(LEVEL)));
    if (!il__cas(&target, &none, fd) && fd != STDERR_FILENO) close(fd);
}

static int target_fd(void)
{
    if (il__unlikely(il__load(&target) == UNKNOWN)) {
        int saved = errno;
        find_target();
        errno = saved;
    }
    return il__load(&target);
}

/* So that processes which are started from here on find it from wherever they are. */
static int tell_children(int fd, il_log_level level)
{
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return -errno;
    path[length] = 0;
    if (il__refused() || setenv(TARGET, path, 1)) return -ENOMEM;
    return il__refused() || setenv(LEVEL, level_names[level], 1) ? -ENOMEM : 0;
}

int il_log_open(const char *path, il_log_level level)
{
    if (level < IL_LOG_DEBUG || level > IL_LOG_ERROR) return -EINVAL;
    int fd = open_file(path), none = UNKNOWN;
    if (fd < 0) return fd;
    int status = tell_children(fd, level);
    if (status) {
        close(fd);
        return status;
    }
    il__store(&least, (int)level);
    if (!il__cas(&own, &none, fd)) { /* who is writing a line now keeps a descriptor that is open */
        dup3(fd, none, O_CLOEXEC);
        close(fd);
    }
    il__store(&target, il__load(&own));
    return 0;
}

void il_log_to(int fd, il_log_level level)
{
    il__store(&least, (int)level);
    il__store(&target, fd);
}

/* --- Lines ----------------------------------------------------------------------------------- */

bool il_log_wants(il_log_level level)
{
    int fd = target_fd();
    return fd >= 0 && level >= (il_log_level)il__load(&least) && level <= IL_LOG_ERROR;
}

/* The words and, if they were more than there was room for, how many are missing. */
static void put_format(struct line *line, const char *format, va_list words)
{
    size_t room = IL_LOG_LINE - TAIL - line->size;
    int wanted = vsnprintf(line->text + line->size, room + 1, format, words);
    size_t size = wanted < 0 ? 0 : (size_t)wanted;
    line->size += size < room ? size : room;
    if (size <= room) return;
    line->size +=
        (size_t)snprintf(line->text + line->size, TAIL - 1, "... (%zu more)", size - room);
}

void il_log(il_log_level level, const char *format, ...)
{
    struct line line;
    va_list words;
    struct timespec now;
    int saved = errno;

    if (!il_log_wants(level)) return;
    clock_gettime(CLOCK_REALTIME, &now);
    begin(&line, level, &now);
    put_names(&line);
    put_string(&line, ": ");
    va_start(words, format);
    errno = saved; /* for %m */
    put_format(&line, format, words);
    va_end(words);
    end(&line, target_fd());
    errno = saved;
}

void il_log_lines(il_log_level level, const char *text, size_t size)
{
    struct line line;
    struct timespec now;
    int saved = errno;

    if (!il_log_wants(level)) return;
    clock_gettime(CLOCK_REALTIME, &now);
    begin(&line, level, &now);
    put_names(&line);
    put_string(&line, ": ");
    size_t prefix = line.size;
    for (bool goes_on = false; size;) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline ? (size_t)(newline - text) : size;
        line.size = prefix;
        if (goes_on) put_string(&line, "... ");
        size_t room = IL_LOG_LINE - TAIL - line.size;
        goes_on = length > room;
        if (goes_on) length = room;
        put(&line, text, length);
        end(&line, target_fd());
        size_t done = length + (newline && !goes_on);
        text += done;
        size -= done;
    }
    errno = saved;
}

void il_log_in_handler(il_log_level level, const char *words)
{
    struct line line;
    struct timespec now;
    int saved = errno, fd = il__load(&target);

    if (level < (il_log_level)il__load(&least) || level > IL_LOG_ERROR) return;
    clock_gettime(CLOCK_REALTIME, &now);
    begin(&line, level, &now);
    put_string(&line, " thread ");
    put_number(&line, (uint64_t)il__thread_kernel_id(), 1);
    put_string(&line, ": ");
    put_string(&line, words);
    end(&line, fd == UNKNOWN ? STDERR_FILENO : fd);
    errno = saved;
}

unsigned long il_log_lost(void)
{
    return il__load(&lost);
}
