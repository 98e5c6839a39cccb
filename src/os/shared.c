/* SPDX-License-Identifier: MIT */
/* Shared memory by memfd, messages by a Unix socket of kind SEQPACKET. */

#include "os/shared.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/memory.h"

int il__shared_new(const char *name, size_t size, void **out_memory, int *out_descriptor)
{
    if (il__refused()) return -ENOMEM;
    int descriptor = memfd_create(name, MFD_CLOEXEC);
    if (descriptor < 0) return -errno;
    int status = ftruncate(descriptor, (off_t)size) ? -errno : 0;
    void *memory = status ? NULL : il__shared_map(descriptor, size, NULL);
    if (!status && !memory) status = -ENOMEM;
    if (status) {
        close(descriptor);
        return status;
    }
    *out_memory = memory;
    *out_descriptor = descriptor;
    return 0;
}

void *il__shared_map(int descriptor, size_t size, void *where)
{
    int flags = MAP_SHARED | (where ? MAP_FIXED_NOREPLACE : 0);
    void *memory = mmap(where, size, PROT_READ | PROT_WRITE, flags, descriptor, 0);
    if (memory == MAP_FAILED && where)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void il__shared_unmap(void *memory, size_t size)
{
    munmap(memory, size);
}

/* One call copies two gigabytes at the most. */
static int copy_afar(bool write, pid_t process, char *here, uint64_t there, size_t size)
{
    while (size) {
        struct iovec ours = { here, size };
        struct iovec theirs = { (void *)(uintptr_t)there, size }; // NOLINT: an address elsewhere
        ssize_t copied = write ? process_vm_writev(process, &ours, 1, &theirs, 1, 0)
                               : process_vm_readv(process, &ours, 1, &theirs, 1, 0);
        if (copied <= 0) return copied ? -errno : -EFAULT;
        here += copied;
        there += (size_t)copied;
        size -= (size_t)copied;
    }
    return 0;
}

int il__afar_read(pid_t process, uint64_t from, void *to, size_t size)
{
    return copy_afar(false, process, to, from, size);
}

int il__afar_write(pid_t process, const void *from, uint64_t to, size_t size)
{
    return copy_afar(true, process, (char *)(size_t)from, to, size);
}

int il__message_pair(int out_ends[2])
{
    if (il__refused()) return -EMFILE;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out_ends) ? -errno : 0;
}

typedef union descriptor_room {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(IL__MOST_DESCRIPTORS * sizeof(int))];
} descriptor_room;

int il__message_send(int socket, const void *bytes, size_t size, const int *descriptors, int count)
{
    descriptor_room room = { 0 };
    struct iovec part = { .iov_base = (void *)(size_t)bytes, .iov_len = size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (count) {
        message.msg_control = room.bytes;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, (size_t)count * sizeof(int));
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int il__message_receive(int socket, void *bytes, size_t size, int *descriptors, int count)
{
    descriptor_room room = { 0 };
    struct iovec part = { .iov_base = bytes, .iov_len = size };
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = room.bytes,
        .msg_controllen = sizeof room.bytes,
    };
    for (int i = 0; i < count; i++) descriptors[i] = -1;
    ssize_t length;
    do length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < 0) return -errno;

    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS) return (int)length;
    int received[IL__MOST_DESCRIPTORS];
    int have = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(received, CMSG_DATA(header), (size_t)have * sizeof(int));
    for (int i = 0; i < have; i++) {
        if (i < count) descriptors[i] = received[i];
        else close(received[i]);
    }
    return (int)length;
}
