/* SPDX-License-Identifier: MIT */
/*
 * The load of the echo lines: so many connections, each of which sends a message, waits until all
 * of it is back, and sends the next. One thread, epoll, and no more system calls a message than
 * a send, a receive and a share of an epoll_wait. It is told the server's process, and reads
 * the CPU time and the memory of that from outside, so that all servers are measured alike.
 *
 *     echo_load line=echo-64 variant=go workers=1 port=N server=PID connections=64 size=64 time=1000
 *     echo_load line=echo-idle ... connections=10000 time=0    # memory of idle ones
 */

#include "../bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BATCH = 256, LARGEST = 1 << 20, PER_ADDRESS = 5000 };

struct connection {
    int fd;
    size_t received; /* of the message that is under way */
};

static struct connection *connections;
static int64_t count, size;
static char message[LARGEST], back[LARGEST];
static uint64_t messages;
static int epoll;

static void die(const char *step)
{
    bench_die("echo_load: %s: %s", step, strerror(errno));
}

/* --- Connections ----------------------------------------------------------------------------- */

/* No more of them from one address than it has ports. */
static void bind_to_one_of_many(int fd, int64_t index)
{
    struct sockaddr_in from = { .sin_family = AF_INET };
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(index / PER_ADDRESS));
    if (bind(fd, (struct sockaddr *)&from, sizeof from)) die("bind");
}

static int connect_to(in_port_t port, int64_t index)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct linger abort = { .l_onoff = 1 }; /* leaves no port in TIME_WAIT */
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die("socket");
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind_to_one_of_many(fd, index);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    return fd;
}

static void send_message(const struct connection *one)
{
    for (int64_t sent = 0; sent < size;) {
        ssize_t more = send(one->fd, message + sent, (size_t)(size - sent), MSG_NOSIGNAL);
        if (more < 0) die("send");
        sent += more;
    }
}

/* Take what there is; true: the message is complete. */
static int receive(struct connection *one)
{
    ssize_t more = recv(one->fd, back, (size_t)size - one->received, MSG_DONTWAIT);
    if (more == 0) bench_die("echo_load: the server has closed a connection");
    if (more < 0 && errno != EAGAIN) die("recv");
    if (more < 0) return 0;
    if (memcmp(back, message + one->received, (size_t)more) != 0)
        bench_die("echo_load: what came back is not what was sent");
    one->received = (one->received + (size_t)more) % (size_t)size;
    return !one->received;
}

static void open_all(in_port_t port)
{
    connections = bench_array((size_t)count, sizeof *connections);
    for (int64_t i = 0; i < count; i++) {
        connections[i] = (struct connection){ .fd = connect_to(port, i) };
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &connections[i] };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event)) die("epoll_ctl");
        send_message(&connections[i]);
        while (!receive(&connections[i])) {} /* the server knows it, and has served it once */
    }
}

/* --- Measuring ------------------------------------------------------------------------------- */

static void play(int64_t duration)
{
    struct epoll_event events[BATCH];
    int64_t until = bench_now() + duration;
    while (bench_now() < until) {
        int ready = epoll_wait(epoll, events, BATCH, 1000);
        if (!ready) bench_die("echo_load: nothing came back for a second");
        for (int i = 0; i < ready; i++) {
            if (!receive(events[i].data.ptr)) continue;
            messages++;
            send_message(events[i].data.ptr);
        }
    }
}

static int64_t cpu_time_of(pid_t server)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(server, &clock) || clock_gettime(clock, &used))
        die("the server's time");
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static int64_t resident_of(pid_t server)
{
    char path[64];
    long long pages = 0;
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)server);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*s %lld", &pages) != 1) die(path);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void raise_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    const char *line = bench_word(argv, "line"), *variant = bench_word(argv, "variant");
    int workers = (int)bench_number(argv, "workers", 1);
    pid_t server = (pid_t)bench_number(argv, "server", 0);
    int64_t duration = bench_number(argv, "time", 1000) * 1000000;
    in_port_t port = (in_port_t)bench_number(argv, "port", 0);
    char name[64];

    count = bench_number(argv, "connections", 64);
    size = bench_number(argv, "size", 64);
    if (argc < 2 || !line || !variant || count < 1 || size < 1 || size > LARGEST)
        bench_die("echo_load: line, variant, connections, size: see the source");
    for (int64_t i = 0; i < size; i++) message[i] = (char)(i * 7 + 1);
    raise_limit();
    if ((epoll = epoll_create1(0)) < 0) die("epoll");

    int64_t before = resident_of(server);
    open_all(port);
    if (!duration) {
        bench_line(line, variant, workers, (double)(resident_of(server) - before) / (double)count,
                   "bytes", 1);
        return 0;
    }
    for (int64_t i = 0; i < count; i++) send_message(&connections[i]);
    play(duration / 5); /* warm */
    messages = 0;
    int64_t cpu = cpu_time_of(server), start = bench_now();
    play(duration);
    double seconds = (double)(bench_now() - start) / 1e9;
    cpu = cpu_time_of(server) - cpu;
    bench_line(line, variant, workers, (double)messages / seconds / 1e6, "Mop/s", 1);
    snprintf(name, sizeof name, "%s-cpu", line);
    bench_line(name, variant, workers, (double)cpu / (double)messages, "ns", 1);
    return 0;
}
