/* SPDX-License-Identifier: MIT */
/*
 * The shared lines with what the kernel has: two processes, 8 bytes at a time, through pipes (on=pipe)
 * or a Unix socket that keeps messages whole (on=socket). They hold as much as they hold.
 */

#include <bench.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int out, in; /* our ends */

static void put(int64_t item)
{
    if (write(out, &item, sizeof item) != (ssize_t)sizeof item) bench_die("write failed");
}

static bool get(int64_t *item)
{
    return read(in, item, sizeof *item) == (ssize_t)sizeof *item;
}

static void serve(bool echo)
{
    int64_t item, sum = 0;

    while (get(&item) && item >= 0) {
        sum += item++;
        if (echo) put(item);
    }
    put(sum);
    exit(0);
}

/* Two ends of each; the child has the one, we have the other. */
static void connect_both(bool sockets, int ours[2], int theirs[2])
{
    int there[2], back[2];

    if (sockets) {
        bench_must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, there), "socketpair");
        ours[0] = ours[1] = there[0];
        theirs[0] = theirs[1] = there[1];
        return;
    }
    bench_must(pipe(there) || pipe(back), "pipe");
    ours[0] = back[0], ours[1] = there[1];
    theirs[0] = there[0], theirs[1] = back[1];
}

static double measure(const char *line, bool sockets, int64_t n)
{
    bool ping = !strcmp(line, "shared-ping");
    int ours[2], theirs[2];
    int64_t ball = 0, sum = 0;

    connect_both(sockets, ours, theirs);
    if (!fork()) {
        in = theirs[0], out = theirs[1];
        serve(ping);
    }
    in = ours[0], out = ours[1];
    int64_t start = bench_now();
    for (int64_t i = 0; ping && i < n / 2; i++) {
        put(ball);
        if (!get(&ball)) bench_die("read failed");
    }
    for (int64_t i = 0; !ping && i < n; i++) put(i);
    put(-1);
    if (!get(&sum)) bench_die("read failed");
    int64_t time = bench_now() - start;
    wait(NULL);
    bench_expect(line, sum, ping ? (n / 2 - 1) * (n / 2) / 2 : n * (n - 1) / 2);
    close(ours[0]), close(theirs[0]);
    if (!sockets) close(ours[1]), close(theirs[1]);
    return (double)time / (double)n;
}

int main(int argc, char **argv)
{
    int workers = (int)bench_number(argv, "workers", 1);
    int64_t n = bench_number(argv, "n", 100000);
    const char *what = bench_word(argv, "what"), *on = bench_word(argv, "on");
    bool sockets = on && !strcmp(on, "socket");

    if (!what) bench_die("what=LINE is missing");
    measure(what, sockets, n / 100 + 2);
    bench_line(what, sockets ? "unix-socket" : "pipe", workers, measure(what, sockets, n), "ns", 1);
    return argc == 0;
}
