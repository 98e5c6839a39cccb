/* SPDX-License-Identifier: MIT */
/*
 * Statuses and error records.
 *
 * When memory runs out while an error is being noted, the error should still say that, so there is
 * a static record for each status that the library itself returns and one for all others. They are
 * filled when first used: several threads may write the same values.
 */

#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"

static const struct {
    int status;
    const char *meaning;
} meanings[] = {
    { 0, "success" },
    { EAGAIN, "it would have to wait" },
    { EALREADY, "done already" },
    { EBADMSG, "two results that should be the same differ" },
    { EBUSY, "in use" },
    { ECANCELED, "cancelled" },
    { EDEADLK, "it would wait for itself" },
    { EINVAL, "invalid argument" },
    { EMSGSIZE, "a message above the limit" },
    { ENOBUFS, "more than the buffer holds" },
    { ENODATA, "it ended too early" },
    { ENOEXEC, "a worker process cannot find the function" },
    { ENOMEM, "out of memory" },
    { EOVERFLOW, "more than the maximum" },
    { EOWNERDEAD, "the process that ran it died" },
    { EPERM, "not the owner" },
    { EPIPE, "closed: those it waits for will not come" },
    { EPROTO, "cut short, or not what is spoken here" },
    { ESHUTDOWN, "the executor is closed" },
    { ESTALE, "changed since it was read" },
    { ETIMEDOUT, "the deadline passed" },
};

enum { MEANINGS = sizeof meanings / sizeof *meanings };

const char *il_strerror(int status)
{
    for (int i = 0; i < MEANINGS; i++)
        if (-meanings[i].status == status) return meanings[i].meaning;

    const char *words = status < 0 && status > INT_MIN ? strerrordesc_np(-status) : NULL;
    return words ? words : "unknown status";
}

/* The record for `status` that needs no memory. The last one serves every status not listed, and
 * then tells only that: a wrong status is worse than none. */
static il__error *static_record(int status)
{
    static il__error records[MEANINGS + 1];
    int i = 0;
    while (i < MEANINGS && -meanings[i].status != status) i++;

    il__error *error = &records[i];
    il__store(&error->public.status, i < MEANINGS ? status : -ENOMEM);
    il__store(&error->public.message, il_strerror(i < MEANINGS ? status : -ENOMEM));
    il__store(&error->public.file, "");
    il__store(&error->public.task, "");
    return error;
}

il__error *il__error_new(int status, const char *file, int line, const char *task, il__error *cause,
                         const char *format, va_list words)
{
    char message[512];
    int length = vsnprintf(message, sizeof message, format, words);
    if (length < 0) length = 0;
    if (length >= (int)sizeof message) length = sizeof message - 1;
    message[length] = 0;

    size_t task_size = strlen(task) + 1;
    il__error *error = il__alloc(sizeof *error + (size_t)length + 1 + task_size);
    if (!error) {
        il__error_unref(cause);
        return static_record(status);
    }
    char *task_copy = error->text + length + 1;
    memcpy(error->text, message, (size_t)length + 1);
    memcpy(task_copy, task, task_size);
    error->refs = 1;
    error->fresh = false;
    error->public = (il_error){
        .status = status,
        .message = error->text,
        .file = file,
        .line = line,
        .task = task_copy,
        .cause = cause ? &cause->public : NULL,
    };
    return error;
}

static il__error *new_with_words(int status, const char *task, il__error *cause, const char *format,
                                 ...)
{
    va_list words;
    va_start(words, format);
    il__error *error = il__error_new(status, "", 0, task, cause, format, words);
    va_end(words);
    return error;
}

il__error *il__error_plain(int status, const char *task, il__error *cause)
{
    return new_with_words(status, task, cause, "%s", il_strerror(status));
}

il__error *il__error_elsewhere(int status, long pid, int signal, const char *task, const char *file,
                               int line, const char *message, const char *cause)
{
    size_t message_size = strlen(message) + 1, task_size = strlen(task) + 1;
    size_t file_size = strlen(file) + 1;
    il__error *below = *cause ? new_with_words(status, "", NULL, "%s", cause) : NULL;
    il__error *error = il__alloc(sizeof *error + message_size + task_size + file_size);
    if (!error) {
        il__error_unref(below);
        return static_record(status);
    }
    char *at = error->text;
    error->refs = 1;
    error->fresh = false;
    error->public = (il_error){
        .status = status,
        .message = memcpy(at, message, message_size),
        .task = memcpy(at + message_size, task, task_size),
        .file = memcpy(at + message_size + task_size, file, file_size),
        .line = line,
        .signal = signal,
        .pid = pid,
        .cause = below ? &below->public : NULL,
    };
    return error;
}

il__error *il__error_ref(il__error *error)
{
    if (error && il__load(&error->refs)) il__add(&error->refs, 1);
    return error;
}

void il__error_unref(il__error *error)
{
    while (error && il__load(&error->refs)) {
        if (il__sub(&error->refs, 1) != 1) return;
        il__error *cause = (il__error *)error->public.cause;
        il__free(error);
        error = cause;
    }
}

/* snprintf that appends: the length grows also beyond the buffer. */
static size_t append(char *buffer, size_t size, size_t length, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    int more = vsnprintf(length < size ? buffer + length : NULL, length < size ? size - length : 0,
                         format, words);
    va_end(words);
    return length + (more > 0 ? (size_t)more : 0);
}

size_t il_error_format(const il_error *error, char *buffer, size_t size)
{
    size_t length = 0;
    if (size) buffer[0] = 0;
    for (; error; error = error->cause) {
        length = append(buffer, size, length, "%s", error->message);
        if (error->line && *error->task)
            length = append(buffer, size, length, " (%s:%d, task \"%s\")", error->file, error->line,
                            error->task);
        else if (error->line)
            length = append(buffer, size, length, " (%s:%d)", error->file, error->line);
        else if (*error->task) length = append(buffer, size, length, " (task \"%s\")", error->task);
        length = append(buffer, size, length, "%s", error->cause ? ": " : "");
    }
    return length;
}

static void ignore(const il_error *error)
{
    (void)error;
}

static il_unobserved_fn *unobserved = ignore;

il_unobserved_fn *il_on_unobserved(il_unobserved_fn *handler)
{
    return il__swap(&unobserved, handler ? handler : ignore);
}

void il__error_unobserved(const il_error *error)
{
    il__load_acquire (&unobserved)(error);
}
