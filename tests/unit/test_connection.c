/* SPDX-License-Identifier: MIT */
/*
 * Claims about il_listener, il_connect and il_connection.
 *
 * The hostile peers are raw sockets that say whatever they like. The fuzzed ones print their seed, and
 * take it from IL_SEED.
 */

#include <dirent.h>
#include <fcntl.h>
#include <interlock/connection.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "link/address.h"
#include "link/handshake.h"
#include "work.h"

static const unsigned char key[32] = "a key of thirty-two bytes, known";
static const unsigned char wrong[32] = "another of thirty-two, not known";

/* With a key where this build has any. */
static il_connection_opts with_key(void)
{
    if (!il__mac_works()) return (il_connection_opts){ .key = NULL };
    return (il_connection_opts){ .key = key, .key_size = sizeof key };
}

static il_listener *listen_at(const char *address, il_connection_opts opts)
{
    il_listener *listener = NULL;
    assert_int_equal(il_listener_new(address, &opts, &listener), 0);
    return listener;
}

static const char *socket_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "unix:/tmp/il_connection_%d", (int)getpid());
    return path;
}

/* In no file system; of this process alone, too. */
static const char *abstract_name(void)
{
    static char name[64];
    snprintf(name, sizeof name, "unix:@il_connection_%d", (int)getpid());
    return name;
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A friend beside the test: connects, says "hello", hears "welcome". */
struct friend
{
    const char *address;
    il_connection_opts opts;
    int status; /* atomic: of il_connect, and 0 before */
};

static int visit(void *in, void *out)
{
    struct friend *friend = in;
    char words[16] = "";
    size_t size = 0;
    il_connection *host = NULL;
    int status = il_connect(friend->address, &friend->opts, LATE, &host);
    if (!status) status = il_connection_send(host, "hello", 5, LATE);
    if (!status) status = il_connection_receive(host, words, sizeof words, LATE, &size);
    if (!status) status = size != 7 || strcmp(words, "welcome") != 0;
    il_connection_free(host);
    return status;
}

/* The other side of that. */
static int welcome(il_listener *listener)
{
    char words[16] = "";
    size_t size = 0;
    il_connection *guest = NULL;
    int status = il_listener_accept(listener, LATE, &guest);
    if (!status) status = il_connection_receive(guest, words, sizeof words, LATE, &size);
    if (!status) status = size != 5 || strcmp(words, "hello") != 0;
    if (!status) status = il_connection_send(guest, "welcome", 7, LATE);
    if (!status) status = il_connection_receive(guest, words, 1, LATE, NULL) != -EPIPE;
    il_connection_free(guest);
    return status;
}

static void assert_a_friend_gets_in(il_listener *listener)
{
    struct crew crew;
    struct friend friend = { il_listener_address(listener), with_key(), 0 };
    crew_open(&crew, NULL);
    crew_add(&crew, visit, &friend);
    int status = welcome(listener);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(status, 0);
}

/* A stranger: a socket that is connected and has said nothing. */
static int stranger(il_listener *listener)
{
    il__address address;
    if (il__address_parse(il_listener_address(listener), &address)) return -1;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, &address.any, address.size) ? -1 : fd;
}

/* Everything that comes until the end; how much. */
static size_t read_to_end(int fd, unsigned char *room, size_t size)
{
    size_t got = 0;
    ssize_t more = 1;
    while (more > 0 && got < size) {
        more = read(fd, room + got, size - got);
        if (more > 0) got += (size_t)more;
    }
    return got;
}

/* --- Meeting --------------------------------------------------------------------------------- */

static void two_meet_at_each_kind_of_address(void **state)
{
    const char *addresses[] = { "tcp:127.0.0.1:0", "tcp:localhost:0", abstract_name(),
                                socket_path(), "tcp:[::1]:0" };
    for (int i = 0; i < 5; i++) {
        il_listener *listener = NULL;
        il_connection_opts opts = with_key();
        int status = il_listener_new(addresses[i], &opts, &listener);
        if (status == -EADDRNOTAVAIL || status == -EMFILE) continue; /* no IPv6 here */
        assert_int_equal(status, 0);
        assert_a_friend_gets_in(listener);
        il_listener_free(listener);
    }
}

static void addresses_are_told(void **state)
{
    il_listener *listener = listen_at("tcp:127.0.0.1:0", (il_connection_opts){ 0 });
    il_connection *host = NULL, *guest = NULL;
    struct crew crew;
    assert_memory_equal(il_listener_address(listener), "tcp:127.0.0.1:", 14);
    assert_true(atoi(il_listener_address(listener) + 14) > 0);
    struct friend friend = { il_listener_address(listener), { 0 }, 0 };
    crew_open(&crew, NULL);
    crew_add(&crew, visit, &friend);
    assert_int_equal(il_listener_accept(listener, LATE, &guest), 0);
    assert_memory_equal(il_connection_address(guest), "tcp:127.0.0.1:", 14);
    assert_int_equal(il_connection_send(guest, "welcome", 7, LATE), 0);
    assert_int_equal(crew_join(&crew), 0);
    il_connection_free(guest);
    il_connection_free(host);
    il_listener_free(listener);
}

static void what_is_no_address_is_einval(void **state)
{
    const char *bad[] = { "",
                          "unix:",
                          "tcp:",
                          "127.0.0.1:80",
                          "udp:127.0.0.1:80",
                          "tcp:127.0.0.1",
                          "tcp:127.0.0.1:",
                          "tcp:127.0.0.1:70000",
                          "tcp::80",
                          "tcp:example.org:80",
                          "tcp:::1:80",
                          "tcp:[::1]80",
                          "tcp:127.0.0.1:8x",
                          "tcp:[]:80",
                          "tcp:1.2.3:5",
                          "tcp:localhost:-1" };
    il_listener *listener = NULL;
    il_connection *host = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(il_listener_new(bad[i], NULL, &listener), -EINVAL);
        assert_int_equal(il_connect(bad[i], NULL, LATE, &host), -EINVAL);
    }
    il_connection_opts half = { .key_size = 4 };
    assert_int_equal(il_listener_new("tcp:127.0.0.1:0", &half, &listener), -EINVAL);
}

static void where_nobody_listens_is_refused(void **state)
{
    il_connection *host = NULL;
    il_listener *listener = listen_at("tcp:127.0.0.1:0", (il_connection_opts){ 0 });
    char address[64];
    snprintf(address, sizeof address, "%s", il_listener_address(listener));
    il_listener_free(listener);
    assert_int_equal(il_connect(address, NULL, LATE, &host), -ECONNREFUSED);
    assert_int_equal(il_connect("unix:/no/such/socket", NULL, LATE, &host), -ENOENT);
}

struct host {
    il_listener *listener;
    int guests;
};

static int welcome_some(void *in, void *out)
{
    struct host *host = in;
    int status = 0;
    for (int i = 0; i < host->guests && !status; i++) status = welcome(host->listener);
    return status;
}

static void several_accept_and_connect_at_once(void **state)
{
    struct crew crew;
    il_listener *listener = listen_at(socket_path(), with_key());
    struct host host = { listener, 4 };
    struct friend friend = { il_listener_address(listener), with_key(), 0 };
    crew_open(&crew, state);
    for (int i = 0; i < 8; i++) crew_add(&crew, visit, &friend);
    for (int i = 0; i < 2; i++) crew_add(&crew, welcome_some, &host);
    assert_int_equal(crew_join(&crew), 0);
    il_listener_free(listener);
}

static int accept_somebody(void *listener, il_time until)
{
    il_connection *guest = NULL;
    return il_listener_accept(listener, until, &guest);
}

static void accepting_gives_up(void **state)
{
    il_listener *listener = listen_at("tcp:127.0.0.1:0", with_key());
    assert_gives_up(state, accept_somebody, listener);
    il_listener_free(listener);
}

static int connect_to(void *address, il_time until)
{
    il_connection *host = NULL;
    il_connection_opts opts = with_key();
    return il_connect(address, &opts, until, &host);
}

static void connecting_to_one_who_is_silent_gives_up(void **state)
{
    il_listener *listener = listen_at(socket_path(), with_key()); /* nobody accepts */
    assert_gives_up(state, connect_to, (void *)(uintptr_t)il_listener_address(listener));
    il_connection *host = NULL;
    il_connection_opts opts = with_key();
    opts.handshake = IL_MS(5);
    assert_int_equal(il_connect(il_listener_address(listener), &opts, IL_FOREVER, &host),
                     -ETIMEDOUT);
    il_listener_free(listener);
}

static void a_frame_above_the_limit_ends_it(void **state)
{
    struct crew crew;
    il_connection_opts opts = with_key();
    opts.most = 4;
    il_listener *listener = listen_at("tcp:127.0.0.1:0", opts);
    il_connection *guest = NULL;
    char room[16];
    struct friend friend = { il_listener_address(listener), with_key(), 0 };
    crew_open(&crew, NULL);
    crew_add(&crew, visit, &friend);
    assert_int_equal(il_listener_accept(listener, LATE, &guest), 0);
    assert_int_equal(il_connection_receive(guest, room, sizeof room, LATE, NULL), -EMSGSIZE);
    il_connection_free(guest);
    assert_int_equal(crew_join(&crew), 1); /* he is hung up on */
    il_listener_free(listener);
}

/* --- Keys ------------------------------------------------------------------------------------ */

static int connect_and_keep_status(void *in, void *out)
{
    struct friend *friend = in;
    il_connection *host = NULL;
    int status = il_connect(friend->address, &friend->opts, LATE, &host);
    il_connection_free(host);
    il__store_release(&friend->status, status);
    return 0;
}

/* What il_connect says, and whether accept let nobody in meanwhile. */
static int refused_with(il_connection_opts listens, il_connection_opts connects)
{
    struct crew crew;
    il_connection *guest = NULL;
    il_listener *listener = listen_at(socket_path(), listens);
    struct friend friend = { il_listener_address(listener), connects, 0 };
    crew_open(&crew, NULL);
    crew_add(&crew, connect_and_keep_status, &friend);
    while (!il__load_acquire(&friend.status) && !guest)
        if (il_listener_accept(listener, SOON, &guest) == -EPIPE) break;
    crew_join(&crew);
    int status = guest ? 1 : friend.status;
    il_connection_free(guest);
    il_listener_free(listener);
    return status;
}

static void keys_that_differ_do_not_meet(void **state)
{
    il_connection_opts right = { .key = key, .key_size = sizeof key };
    il_connection_opts other = { .key = wrong, .key_size = sizeof wrong };
    il_connection_opts shorter = { .key = key, .key_size = sizeof key - 1 };
    il_connection_opts none = { 0 };
    if (!il__mac_works()) {
        il_listener *listener = NULL;
        il_connection *host = NULL;
        assert_int_equal(il_listener_new("tcp:127.0.0.1:0", &right, &listener), -ENOTSUP);
        assert_int_equal(il_connect("tcp:127.0.0.1:1", &right, LATE, &host), -ENOTSUP);
        return;
    }
    assert_int_equal(refused_with(right, other), -EACCES);
    assert_int_equal(refused_with(right, shorter), -EACCES);
    assert_int_equal(refused_with(right, none), -EACCES);
    assert_int_equal(refused_with(none, right), -EACCES);
}

/* Let the listener see to what has come, until the socket is at its end or has this much. */
static size_t hear_while_accepting(il_listener *listener, int fd, unsigned char *room, size_t size)
{
    il_connection *guest = NULL;
    struct pollfd look = { .fd = fd, .events = POLLIN };
    size_t got = 0;
    while (got < size) {
        if (il_listener_accept(listener, IL_NOW, &guest) != -EAGAIN) abort();
        if (poll(&look, 1, 0) < 1) continue;
        ssize_t more = read(fd, room + got, size - got);
        if (more <= 0) break;
        got += (size_t)more;
    }
    return got;
}

static void a_wrong_proof_is_answered_by_silence(void **state)
{
    if (!il__mac_works()) skip();
    unsigned char hello[IL__GREETING] = "il-conn\1", room[200], mac[IL__MAC];
    il_listener *listener = listen_at("tcp:127.0.0.1:0", with_key());
    int fd = stranger(listener);
    assert_int_equal(write(fd, hello, sizeof hello), sizeof hello);
    assert_int_equal(hear_while_accepting(listener, fd, room, IL__GREETING), IL__GREETING);
    il__mac(mac, wrong, sizeof wrong, "interlock connector", hello + 8, room + 8);
    assert_int_equal(write(fd, mac, sizeof mac), sizeof mac);
    assert_int_equal(hear_while_accepting(listener, fd, room, sizeof room), 0);
    close(fd);
    assert_a_friend_gets_in(listener);
    il_listener_free(listener);
}

static void a_proof_is_of_no_use_twice(void **state)
{
    if (!il__mac_works()) skip();
    unsigned char hello[IL__GREETING] = "il-conn\1", room[200], mac[IL__MAC];
    il_connection *guest = NULL;
    il_listener *listener = listen_at(socket_path(), with_key());
    for (int i = 0; i < 2; i++) {
        int fd = stranger(listener);
        assert_int_equal(write(fd, hello, sizeof hello), sizeof hello);
        assert_int_equal(hear_while_accepting(listener, fd, room, IL__GREETING), IL__GREETING);
        if (!i) il__mac(mac, key, sizeof key, "interlock connector", hello + 8, room + 8);
        assert_int_equal(write(fd, mac, sizeof mac), sizeof mac);
        if (i) assert_int_equal(hear_while_accepting(listener, fd, room, sizeof room), 0);
        else assert_int_equal(il_listener_accept(listener, LATE, &guest), 0);
        close(fd);
    }
    il_connection_free(guest);
    il_listener_free(listener);
}

/* One who has no key, but sends back what he is sent. */
struct mirror {
    int fd;
    bool got_proof;
};

static int reflect(void *in, void *out)
{
    struct mirror *mirror = in;
    unsigned char room[IL__GREETING];
    int fd = accept(mirror->fd, NULL, NULL);
    if (read_to_end(fd, room, IL__GREETING) == IL__GREETING &&
        write(fd, room, IL__GREETING) == IL__GREETING &&
        read_to_end(fd, room, IL__MAC) == IL__MAC && write(fd, room, IL__MAC) == IL__MAC)
        mirror->got_proof = true;
    read_to_end(fd, room, 1);
    close(fd);
    return 0;
}

static void an_answer_sent_back_opens_nothing(void **state)
{
    if (!il__mac_works()) skip();
    struct crew crew;
    il__address address;
    il_connection *host = NULL;
    il_connection_opts opts = with_key();
    struct mirror mirror = { .fd = socket(AF_UNIX, SOCK_STREAM, 0) };
    assert_int_equal(il__address_parse(abstract_name(), &address), 0);
    assert_int_equal(bind(mirror.fd, &address.any, address.size), 0);
    assert_int_equal(listen(mirror.fd, 1), 0);
    crew_open(&crew, NULL);
    crew_add(&crew, reflect, &mirror);
    int status = il_connect(abstract_name(), &opts, LATE, &host);
    il_connection_free(host);
    crew_join(&crew);
    close(mirror.fd);
    assert_int_equal(status, -EACCES);
    assert_true(mirror.got_proof);
}

/* --- Strangers ------------------------------------------------------------------------------- */

static void silent_strangers_hold_up_nobody(void **state)
{
    int fds[30];
    il_connection_opts opts = with_key();
    opts.strangers = 8;
    opts.handshake = IL_SEC(100);
    il_listener *listener = listen_at(socket_path(), opts);
    for (int i = 0; i < 30; i++) {
        fds[i] = stranger(listener);
        if (i % 2) assert_int_equal(write(fds[i], "il-", 3), 3);
    }
    assert_a_friend_gets_in(listener);
    assert_a_friend_gets_in(listener);
    for (int i = 0; i < 30; i++) close(fds[i]);
    il_listener_free(listener);
}

static void a_stranger_has_only_so_long(void **state)
{
    unsigned char room[10];
    il_connection_opts opts = with_key();
    opts.handshake = IL_MS(5);
    il_listener *listener = listen_at("tcp:127.0.0.1:0", opts);
    int fd = stranger(listener);
    assert_int_equal(hear_while_accepting(listener, fd, room, sizeof room), 0);
    close(fd);
    il_listener_free(listener);
}

static uint64_t seed;

static unsigned random_below(unsigned bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((seed >> 33) % bound);
}

static void take_seed(void)
{
    const char *given = getenv("IL_SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)il_now();
    print_message("IL_SEED=%llu\n", (unsigned long long)seed);
}

/* Bytes that begin as a handshake does, more or less. */
static size_t make_up(unsigned char *bytes, size_t most)
{
    static const unsigned char proper[] = "il-conn\1";
    size_t size = random_below((unsigned)most);
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)random_below(256);
    if (random_below(4)) memcpy(bytes, proper, size < 8 ? size : 8);
    if (size && !random_below(4)) bytes[random_below((unsigned)size)] ^= 1u << random_below(8);
    if (!random_below(8)) memset(bytes, 0, size);
    return size;
}

static void fuzzed_strangers_cost_nothing_but_their_slot(void **state)
{
    enum { ROUNDS = 400, STANDING = 16 };
    int fds[STANDING];
    take_seed();
    il_connection_opts opts = { .strangers = 6 };
    if (il__mac_works()) opts = (il_connection_opts){ key, sizeof key, 0, 0, 6 };
    il_listener *listener = listen_at(socket_path(), opts);
    assert_a_friend_gets_in(listener); /* the watcher has its descriptors */
    int before = count_descriptors();
    for (int i = 0; i < STANDING; i++) fds[i] = -1;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char bytes[200];
        int *fd = &fds[random_below(STANDING)];
        il_connection *guest = NULL;
        if (*fd < 0) *fd = stranger(listener);
        ssize_t size = send(*fd, bytes, make_up(bytes, sizeof bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
        int status = random_below(2) ? il_listener_accept(listener, IL_NOW, &guest) : -EAGAIN;
        il_connection_free(guest);
        if (il__mac_works()) assert_int_equal(status, -EAGAIN); /* nobody has guessed the key */
        if (size >= 0 && random_below(4)) continue;
        close(*fd);
        *fd = -1;
    }
    assert_a_friend_gets_in(listener);
    for (int i = 0; i < STANDING; i++)
        if (fds[i] >= 0) close(fds[i]);
    assert_a_friend_gets_in(listener);
    assert_int_equal(accept_somebody(listener, SOON), -ETIMEDOUT);
    assert_int_equal(count_descriptors(), before);
    il_listener_free(listener);
}

/* One who may come in, and then says anything. */
static void fuzzed_frames_end_in_a_status(void **state)
{
    take_seed();
    il_listener *listener = listen_at(socket_path(), (il_connection_opts){ .most = 100 });
    for (int i = 0; i < 100; i++) {
        unsigned char hello[IL__GREETING] = "il-conn", bytes[300], room[100];
        il_connection *guest = NULL;
        size_t size, length = random_below(sizeof bytes);
        int fd = stranger(listener), status = 0;
        for (size_t k = 0; k < length; k++)
            bytes[k] = random_below(3) ? 0 : (unsigned char)random_below(90);
        assert_int_equal(write(fd, hello, sizeof hello), sizeof hello);
        assert_int_equal(il_listener_accept(listener, LATE, &guest), 0);
        assert_int_equal(write(fd, bytes, length), length);
        close(fd);
        for (size_t total = 0; !status; total += 4 + size) {
            size = 0;
            status = il_connection_receive(guest, room, sizeof room, LATE, &size);
            assert_true(size <= 100 && total <= length);
        }
        if (status != -EPIPE && status != -EPROTO && status != -EMSGSIZE && status != -ECONNRESET)
            fail_msg("status %d", status);
        il_connection_free(guest);
    }
    il_listener_free(listener);
}

/* A listener of another kind. */
static int say_something_else(void *in, void *out)
{
    char room[10];
    int fd = accept(*(int *)in, NULL, NULL);
    static const char words[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    ssize_t size = write(fd, words, sizeof words - 1);
    read_to_end(fd, (unsigned char *)room, 1);
    close(fd);
    return size <= 0;
}

static void one_who_speaks_otherwise_is_eproto(void **state)
{
    struct crew crew;
    il__address address;
    il_connection *host = NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(il__address_parse(abstract_name(), &address), 0);
    assert_int_equal(bind(fd, &address.any, address.size), 0);
    assert_int_equal(listen(fd, 1), 0);
    crew_open(&crew, NULL);
    crew_add(&crew, say_something_else, &fd);
    il_connection_opts opts = with_key();
    int status = il_connect(abstract_name(), &opts, LATE, &host);
    assert_int_equal(crew_join(&crew), 0);
    close(fd);
    assert_int_equal(status, -EPROTO);
}

/* --- The end of a listener ------------------------------------------------------------------- */

/* Until n threads and fibers wait for that. */
static void until_so_many_wait_for(const char *what, unsigned n)
{
    for (unsigned waiting = 0; waiting < n; il_yield()) {
        il_info infos[64];
        size_t threads = il_thread_list(infos, 32), all = threads < 32 ? threads : 32;
        size_t fibers = il_fiber_list(infos + all, 32);
        all += fibers < 32 ? fibers : 32;
        waiting = 0;
        for (size_t i = 0; i < all; i++)
            waiting += infos[i].waits_for && !strcmp(infos[i].waits_for, what);
    }
}

static int accept_until_closed(void *in, void *out)
{
    return accept_somebody(in, LATE) != -EPIPE;
}

static void closing_tells_all_who_accept(void **state)
{
    struct crew crew;
    il_listener *listener = listen_at(socket_path(), with_key());
    int fd = stranger(listener);
    unsigned char room[10];
    crew_open(&crew, state);
    for (int i = 0; i < 4; i++) crew_add(&crew, accept_until_closed, listener);
    until_so_many_wait_for("somebody to connect", 4);
    il_listener_close(listener);
    il_listener_close(listener);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(accept_somebody(listener, IL_NOW), -EPIPE);
    assert_int_equal(read_to_end(fd, room, sizeof room), 0); /* the stranger is turned away */
    assert_int_equal(access(socket_path() + 5, F_OK), -1);
    close(fd);
    il_listener_free(listener);
}

static void a_socket_left_over_is_replaced_and_a_living_one_is_not(void **state)
{
    struct stat file;
    il__address address;
    il_listener *listener = NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(il__address_parse(socket_path(), &address), 0);
    assert_int_equal(bind(fd, &address.any, address.size), 0);
    close(fd); /* its file stays */
    listener = listen_at(socket_path(), with_key());
    assert_int_equal(stat(socket_path() + 5, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    il_listener *second = NULL;
    assert_int_equal(il_listener_new(socket_path(), NULL, &second), -EADDRINUSE);
    assert_a_friend_gets_in(listener);
    il_listener_free(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_meet_at_each_kind_of_address),
        cmocka_unit_test(addresses_are_told),
        cmocka_unit_test(what_is_no_address_is_einval),
        cmocka_unit_test(where_nobody_listens_is_refused),
        EACH_CREW(several_accept_and_connect_at_once),
        EACH_CREW(accepting_gives_up),
        EACH_CREW(connecting_to_one_who_is_silent_gives_up),
        cmocka_unit_test(a_frame_above_the_limit_ends_it),
        cmocka_unit_test(keys_that_differ_do_not_meet),
        cmocka_unit_test(a_wrong_proof_is_answered_by_silence),
        cmocka_unit_test(a_proof_is_of_no_use_twice),
        cmocka_unit_test(an_answer_sent_back_opens_nothing),
        cmocka_unit_test(silent_strangers_hold_up_nobody),
        cmocka_unit_test(a_stranger_has_only_so_long),
        cmocka_unit_test(fuzzed_strangers_cost_nothing_but_their_slot),
        cmocka_unit_test(fuzzed_frames_end_in_a_status),
        cmocka_unit_test(one_who_speaks_otherwise_is_eproto),
        EACH_CREW(closing_tells_all_who_accept),
        cmocka_unit_test(a_socket_left_over_is_replaced_and_a_living_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
