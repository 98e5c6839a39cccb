/* SPDX-License-Identifier: MIT */
/*
 * Files: calls that block, on the lane for files. An errand has its own copy of names and data, and a
 * reference to the file, so it may go on when nobody waits for it any more.
 *
 * Reading asks the kernel first for what it has in its cache (RWF_NOWAIT), on the caller's own thread
 * and into its own memory: no thread, no copy. A file system that cannot tell answers EOPNOTSUPP, and
 * is not asked again for that file.
 */

#include <interlock/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/lane.h"
#include "wait/agent.h"

enum { PIECE = 256 << 10 }; /* bytes that an errand moves at most */

struct il_file {
    int fd;
    unsigned refs;     /* atomic: the owner's, and one an errand */
    uint32_t no_cache; /* atomic: the kernel cannot tell what is in its cache */
};

/* What an errand is about. Its answer is a count, a descriptor or 0, or a status. */
typedef struct work {
    il__errand errand; /* first */
    int64_t (*call)(struct work *work);
    il_file *file; /* or NULL */
    int flags;
    unsigned mode;
    uint64_t offset;
    size_t size;
    int64_t answer;
    const char *path, *other; /* in data */
    char data[];
} work;

/* --- Errands --------------------------------------------------------------------------------- */

static void unref(il_file *file)
{
    if (!file || il__sub(&file->refs, 1) != 1) return;
    close(file->fd);
    il__free(file);
}

static void run(il__errand *errand)
{
    work *one = (work *)errand;
    one->answer = one->call(one);
    if (one->answer < 0) one->answer = -errno;
}

static void release(il__errand *errand)
{
    work *one = (work *)errand;
    unref(one->file);
    il__free(one);
}

static int64_t call_open(work *one);

/* Opened for nobody. */
static void release_open(il__errand *errand)
{
    work *one = (work *)errand;
    if (one->answer >= 0) close((int)one->answer);
    il__free(one);
}

static work *new_work(int64_t (*call)(work *), il_file *file, size_t room)
{
    work *one = il__alloc(sizeof *one + room);
    if (!one) return NULL;
    *one = (work){ .errand = { .run = run, .release = release }, .call = call, .file = file };
    if (call == call_open) one->errand.release = release_open;
    one->answer = -1;
    if (file) il__add(&file->refs, 1);
    return one;
}

/* Have it done: its answer. Unless it was given up, *out_work is the caller's, to be released. */
static int64_t do_work(work *one, const char *what, const void *on, il_time until, work **out_work)
{
    *out_work = NULL;
    if (!one) return -ENOMEM;
    int status = until == IL_NOW ? -EAGAIN : il__lane_start(&il__lane_files, &one->errand);
    if (status) {
        one->errand.release(&one->errand);
        return status;
    }
    status = il__lane_wait(&one->errand, what, on, until);
    if (!status) *out_work = one;
    return status ? status : one->answer;
}

static int do_and_release(work *one, const char *what, const void *on, il_time until)
{
    work *done;
    int64_t answer = do_work(one, what, on, until, &done);
    if (done) done->errand.release(&done->errand);
    return answer < 0 ? (int)answer : 0;
}

/* --- By name --------------------------------------------------------------------------------- */

static work *new_named(int64_t (*call)(work *), const char *path, const char *other)
{
    size_t size = strlen(path) + 1, other_size = other ? strlen(other) + 1 : 0;
    work *one = new_work(call, NULL, size + other_size);
    if (!one) return NULL;
    one->path = memcpy(one->data, path, size);
    if (other) one->other = memcpy(one->data + size, other, other_size);
    return one;
}

static int64_t call_open(work *one)
{
    return open(one->path, one->flags | O_CLOEXEC, one->mode);
}

static int64_t call_rename(work *one)
{
    return rename(one->path, one->other);
}

static int64_t call_remove(work *one)
{
    return unlink(one->path);
}

int il_file_rename(const char *from, const char *to, il_time until)
{
    return do_and_release(new_named(call_rename, from, to), "renaming", from, until);
}

int il_file_remove(const char *path, il_time until)
{
    return do_and_release(new_named(call_remove, path, NULL), "removing", path, until);
}

static int flags_of(unsigned how)
{
    const unsigned both = IL_FILE_READ | IL_FILE_WRITE;
    int flags = (how & both) == both ? O_RDWR : how & IL_FILE_WRITE ? O_WRONLY : O_RDONLY;
    if (how & IL_FILE_CREATE) flags |= O_CREAT;
    if (how & IL_FILE_NEW) flags |= O_EXCL;
    if (how & IL_FILE_TRUNCATE) flags |= O_TRUNC;
    return flags;
}

int il_file_open(const char *path, unsigned how, unsigned mode, il_time until, il_file **out_file)
{
    if (!(how & (IL_FILE_READ | IL_FILE_WRITE))) return -EINVAL;
    il_file *file = il__zalloc(sizeof *file);
    work *done, *one = file ? new_named(call_open, path, NULL) : NULL;
    if (one) {
        one->flags = flags_of(how);
        one->mode = mode;
    }
    int64_t answer = do_work(one, "opening", path, until, &done);
    if (done) il__free(done); /* the descriptor is ours */
    if (answer < 0) {
        il__free(file);
        return (int)answer;
    }
    *file = (il_file){ .fd = (int)answer, .refs = 1 };
    *out_file = file;
    return 0;
}

void il_file_close(il_file *file)
{
    unref(file);
}

/* --- Data ------------------------------------------------------------------------------------ */

static int64_t call_read(work *one)
{
    return pread(one->file->fd, one->data, one->size, (off_t)one->offset);
}

static int64_t call_write(work *one)
{
    return pwrite(one->file->fd, one->data, one->size, (off_t)one->offset);
}

static int64_t call_sync(work *one)
{
    return fdatasync(one->file->fd);
}

static int64_t call_resize(work *one)
{
    return ftruncate(one->file->fd, (off_t)one->offset);
}

/* What the kernel has at hand: bytes, 0 at the end, or -EAGAIN: only a thread can tell. */
static int64_t read_cached(il_file *file, void *buffer, size_t size, uint64_t offset)
{
    struct iovec part = { buffer, size };
    if (il__load(&file->no_cache)) return -EAGAIN;
    ssize_t count = preadv2(file->fd, &part, 1, (off_t)offset, RWF_NOWAIT);
    int failed = *il_errno();
    if (count >= 0) return count;
    if (failed == EOPNOTSUPP || failed == ENOSYS) il__store(&file->no_cache, 1);
    return failed == EOPNOTSUPP || failed == ENOSYS || failed == EINTR ? -EAGAIN : -failed;
}

static int64_t read_piece(il_file *file, void *buffer, size_t size, uint64_t offset, il_time until)
{
    int64_t answer = read_cached(file, buffer, size, offset);
    if (answer != -EAGAIN) return answer;
    if (size > PIECE) size = PIECE;
    work *done, *one = new_work(call_read, file, size);
    if (one) {
        one->offset = offset;
        one->size = size;
    }
    answer = do_work(one, "reading", file, until, &done);
    if (!done) return answer;
    if (answer > 0) memcpy(buffer, done->data, (size_t)answer);
    release(&done->errand);
    return answer;
}

int il_file_read(il_file *file, void *buffer, size_t size, uint64_t offset, il_time until,
                 size_t *out_size)
{
    size_t done = 0;
    int64_t more = 1;
    while (done < size && more) {
        more = read_piece(file, (char *)buffer + done, size - done, offset + done, until);
        if (more == -EINTR) continue;
        if (more < 0) return (int)more;
        done += (size_t)more;
    }
    *out_size = done;
    return 0;
}

static int64_t write_piece(il_file *file, const void *data, size_t size, uint64_t offset,
                           il_time until)
{
    work *done, *one = new_work(call_write, file, size);
    if (one) {
        one->offset = offset;
        one->size = size;
        memcpy(one->data, data, size);
    }
    int64_t answer = do_work(one, "writing", file, until, &done);
    if (done) release(&done->errand);
    return answer;
}

int il_file_write(il_file *file, const void *data, size_t size, uint64_t offset, il_time until)
{
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < PIECE ? size - done : PIECE;
        int64_t more = write_piece(file, (const char *)data + done, piece, offset + done, until);
        if (more < 0 && more != -EINTR) return (int)more;
        if (more > 0) done += (size_t)more;
    }
    return 0;
}

int il_file_sync(il_file *file, il_time until)
{
    return do_and_release(new_work(call_sync, file, 0), "the disk", file, until);
}

int il_file_resize(il_file *file, uint64_t size, il_time until)
{
    work *one = new_work(call_resize, file, 0);
    if (one) one->offset = size;
    return do_and_release(one, "resizing", file, until);
}

int il_file_stat(const il_file *file, struct stat *out_stat)
{
    struct stat found;
    if (fstat(file->fd, &found)) return -*il_errno();
    *out_stat = found;
    return 0;
}

/* --- A whole one ----------------------------------------------------------------------------- */

/* With room for one byte more than is expected, which shows that there is more, and for the last 0. */
static int load(il_file *file, size_t most, il_time until, char **data, size_t *size)
{
    struct stat found = { 0 };
    size_t more = 0;
    int status = il_file_stat(file, &found);
    size_t room = found.st_size > 0 ? (size_t)found.st_size : 4096;
    for (; !status; room *= 2) {
        if (found.st_size > 0 && (size_t)found.st_size > most) return -EFBIG;
        char *larger = il__realloc(*data, room + 2);
        if (!larger) return -ENOMEM;
        *data = larger;
        status = il_file_read(file, *data + *size, room + 1 - *size, *size, until, &more);
        if (status) break;
        *size += more;
        if (*size > most) return -EFBIG;
        if (*size <= room) return 0;
    }
    return status;
}

int il_file_load(const char *path, size_t most, il_time until, void **out_data, size_t *out_size)
{
    il_file *file = NULL;
    char *data = NULL;
    size_t size = 0;
    int status = il_file_open(path, IL_FILE_READ, 0, until, &file);
    if (!status) status = load(file, most, until, &data, &size);
    il_file_close(file);
    if (status) {
        il__free(data);
        return status;
    }
    data[size] = 0;
    *out_data = data;
    *out_size = size;
    return 0;
}
