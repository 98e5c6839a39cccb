/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_FILE_H
#define INTERLOCK_FILE_H

/*
 * File: bytes on a disk, read and written by tasks that must not hold up others meanwhile.
 *
 *     il_file *file = NULL;
 *     int status = il_file_open("a.bin", IL_FILE_WRITE | IL_FILE_CREATE, 0644, IL_FOREVER, &file);
 *     if (!status) status = il_file_write(file, data, size, 0, IL_FOREVER);
 *     if (!status) status = il_file_sync(file, IL_FOREVER);
 *     il_file_close(file);
 *
 * A file is always ready, and yet its calls block, on a disk or on a server far away. So they are made
 * on a few threads of their own, and the caller parks; but what is read out of the kernel's cache is
 * read at once. Any task of any executor, and any thread, may use a file, several at once: it has no
 * position, each call says where.
 *
 * A call that was given up (deadline, cancellation) goes on by itself: a write may still happen, and
 * a file that is opened or made then stays. The data of a read or write is copied on the way, so that
 * the caller's memory is the caller's again when the call returns, whatever happened.
 *
 * Failures are the system's: -ENOENT, -EACCES, -EEXIST, -ENOSPC, -EIO, -EISDIR, ... and -EAGAIN,
 * -ETIMEDOUT, -ECANCELED, -ENOMEM.
 */

#include <interlock/status.h>
#include <interlock/time.h>

IL__BEGIN

struct stat; /* <sys/stat.h> */

typedef struct il_file il_file;

/* What to open it for: one of the first two, or both, and any of the others. */
enum {
    IL_FILE_READ = 1,
    IL_FILE_WRITE = 2,
    IL_FILE_CREATE = 4,   /* make it if it is not there */
    IL_FILE_NEW = 8,      /* with CREATE: -EEXIST if it is there */
    IL_FILE_TRUNCATE = 16 /* empty it */
};

/* Open it. `mode`: permissions of one that is made, less the umask. -EINVAL: neither read nor
 * write. */
IL_API int il_file_open(const char *path, unsigned how, unsigned mode, il_time until,
                        il_file **out_file);

/* Read `size` bytes from `offset` on. *out_size: how many there were; fewer only at the end of the
 * file. */
IL_API int il_file_read(il_file *file, void *buffer, size_t size, uint64_t offset, il_time until,
                        size_t *out_size);

/* Write all of it at `offset`. Unless 0, any part may have been written. */
IL_API int il_file_write(il_file *file, const void *data, size_t size, uint64_t offset,
                         il_time until);

/* Wait until what was written is on the disk. */
IL_API int il_file_sync(il_file *file, il_time until);

/* Make it so long: cut it, or fill it up with zeroes. */
IL_API int il_file_resize(il_file *file, uint64_t size, il_time until);

/* What the system knows of it. Never waits for more than the system's memory of it. */
IL_API int il_file_stat(const il_file *file, struct stat *out_stat);

/* Let go of it; the descriptor is closed when the last call has ended that was given up. NULL is
 * fine. */
IL_API void il_file_close(il_file *file);

/* Read a whole file; gives memory of malloc, with a 0 after the last byte. -EFBIG: more than `most`
 * bytes. */
IL_API int il_file_load(const char *path, size_t most, il_time until, void **out_data,
                        size_t *out_size);

/* Give a file another name, replacing what has that; remove one. */
IL_API int il_file_rename(const char *from, const char *to, il_time until);
IL_API int il_file_remove(const char *path, il_time until);

IL__END

#endif
