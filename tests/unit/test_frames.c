/* SPDX-License-Identifier: MIT */
/* Claims about il_frames. */

#include <fcntl.h>
#include <interlock/frames.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "work.h"

enum { MANY = 300 };

/* A raw end and one that speaks in frames. */
struct half {
    int raw;
    il_frames *frames;
};

static struct half half_of(const il_frames_opts *opts)
{
    int ends[2];
    struct half half = { -1, NULL };
    if (!socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) half.raw = ends[0];
    if (il_frames_new(ends[1], ends[1], opts, &half.frames)) half.frames = NULL;
    return half;
}

static void say(const struct half *half, const char *bytes, size_t size)
{
    if (write(half->raw, bytes, size) != (ssize_t)size) abort();
}

static void half_free(struct half *half)
{
    if (half->raw >= 0) close(half->raw);
    il_frames_free(half->frames);
}

static void open_pair(il_frames **ends)
{
    assert_int_equal(il_frames_pair(NULL, ends), 0);
}

static void free_pair(il_frames **ends)
{
    il_frames_free(ends[0]);
    il_frames_free(ends[1]);
}

static int receive(void *frames, il_time until)
{
    char byte;
    return il_frames_receive(frames, &byte, 1, until, NULL);
}

static void assert_next(il_frames *frames, const char *words)
{
    char room[100];
    size_t size = 0;
    assert_int_equal(il_frames_receive(frames, room, sizeof room, LATE, &size), 0);
    assert_int_equal(size, strlen(words));
    assert_memory_equal(room, words, size);
}

/* --- Whole frames ---------------------------------------------------------------------------- */

static void frames_arrive_as_they_were_sent(void **state)
{
    il_frames *ends[2];
    open_pair(ends);
    assert_int_equal(il_frames_send(ends[0], "one", 3, LATE), 0);
    assert_int_equal(il_frames_send(ends[0], NULL, 0, LATE), 0);
    assert_int_equal(il_frames_send(ends[0], "three\n", 6, LATE), 0);
    assert_int_equal(il_frames_send(ends[1], "back", 4, LATE), 0);
    assert_next(ends[1], "one");
    assert_next(ends[1], "");
    assert_next(ends[1], "three\n");
    assert_next(ends[0], "back");
    assert_int_equal(receive(ends[1], IL_NOW), -EAGAIN);
    free_pair(ends);
}

struct letters {
    il_frames *frames;
    unsigned next, bad;
};

/* Frames of many sizes, each filled with its number. */
static size_t size_of(unsigned number)
{
    return number % 7 == 3 ? 300000 + number : number % 50;
}

static int send_many(void *in, void *out)
{
    struct letters *letters = in;
    unsigned char *room = malloc(1 << 20);
    int status = room ? 0 : -ENOMEM;
    for (unsigned i = 0; i < MANY && !status; i++) {
        memset(room, (int)(i & 0xff), size_of(i));
        status = il_frames_send(letters->frames, room, size_of(i), LATE);
    }
    free(room);
    return status;
}

static int receive_many(void *in, void *out)
{
    struct letters *letters = in;
    unsigned char *room = malloc(1 << 20);
    int status = room ? 0 : -ENOMEM;
    for (unsigned i = 0; i < MANY && !status; i++) {
        size_t size;
        status = il_frames_receive(letters->frames, room, 1 << 20, LATE, &size);
        letters->bad += !status && size != size_of(i);
        for (size_t k = 0; !status && k < size; k++) letters->bad += room[k] != (i & 0xff);
    }
    free(room);
    return status;
}

static void both_ways_at_once_do_not_block_each_other(void **state)
{
    struct crew crew;
    il_frames *ends[2];
    open_pair(ends);
    struct letters here = { ends[0], 0, 0 }, there = { ends[1], 0, 0 };
    crew_open(&crew, state);
    crew_add(&crew, send_many, &here);
    crew_add(&crew, send_many, &there);
    crew_add(&crew, receive_many, &here);
    crew_add(&crew, receive_many, &there);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(here.bad + there.bad, 0);
    free_pair(ends);
}

enum { SENDERS = 4, EACH = 100 };

static int send_own(void *in, void *out)
{
    struct letters *letters = in;
    unsigned number = il__add(&letters->next, 1);
    unsigned char words[5000];
    memset(words, (int)number + 1, sizeof words);
    int status = 0;
    for (int i = 0; i < EACH && !status; i++)
        status = il_frames_send(letters->frames, words, sizeof words, LATE);
    return status;
}

static int receive_share(void *in, void *out)
{
    struct letters *letters = in;
    unsigned char words[5000];
    int status = 0;
    for (int i = 0; i < EACH * SENDERS / 2 && !status; i++) {
        size_t size = 0;
        status = il_frames_receive(letters->frames, words, sizeof words, LATE, &size);
        bool bad = size != sizeof words || words[0] < 1 || words[0] > SENDERS;
        for (size_t k = 1; k < size; k++) bad |= words[k] != words[0];
        if (bad) il__add(&letters->bad, 1);
    }
    return status;
}

static void frames_of_several_senders_are_not_mixed(void **state)
{
    struct crew crew;
    il_frames *ends[2];
    open_pair(ends);
    struct letters here = { ends[0], 0, 0 }, there = { ends[1], 0, 0 };
    crew_open(&crew, state);
    for (int i = 0; i < SENDERS; i++) crew_add(&crew, send_own, &here);
    for (int i = 0; i < 2; i++) crew_add(&crew, receive_share, &there);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(there.bad, 0);
    free_pair(ends);
}

/* --- Ends ------------------------------------------------------------------------------------ */

static void the_end_between_frames_is_epipe(void **state)
{
    il_frames *ends[2];
    open_pair(ends);
    assert_int_equal(il_frames_send(ends[0], "last", 4, LATE), 0);
    assert_int_equal(il_frames_close(ends[0], LATE), 0);
    assert_int_equal(il_frames_close(ends[0], LATE), 0);
    assert_int_equal(il_frames_send(ends[0], "more", 4, LATE), -EPIPE);
    assert_next(ends[1], "last");
    assert_int_equal(receive(ends[1], LATE), -EPIPE);
    assert_int_equal(receive(ends[1], IL_NOW), -EPIPE);
    assert_int_equal(il_frames_send(ends[1], "back", 4, LATE), 0); /* the other way is open */
    assert_next(ends[0], "back");
    free_pair(ends);
}

static void the_end_in_a_frame_is_eproto(void **state)
{
    static const char bytes[] = "\3\0\0\0one\5\0\0\0four";
    for (size_t cut = 8; cut < sizeof bytes; cut++) {
        struct half half = half_of(NULL);
        say(&half, bytes, cut);
        close(half.raw);
        half.raw = -1;
        assert_next(half.frames, "one");
        assert_int_equal(receive(half.frames, LATE), -EPROTO);
        assert_int_equal(receive(half.frames, LATE), -EPROTO);
        half_free(&half);
    }
}

static void a_frame_above_the_limit_is_refused_on_both_sides(void **state)
{
    struct half half = half_of(&(il_frames_opts){ .most = 10 });
    assert_int_equal(il_frames_send(half.frames, "eleven bytes", 11, LATE), -EMSGSIZE);
    say(&half, "\12\0\0\0ten bytes.\13\0\0\0", 18);
    assert_next(half.frames, "ten bytes.");
    assert_int_equal(receive(half.frames, LATE), -EMSGSIZE);
    assert_int_equal(receive(half.frames, LATE), -EMSGSIZE);
    half_free(&half);
}

static void what_is_announced_costs_nothing_until_it_comes(void **state)
{
    struct half half = half_of(&(il_frames_opts){ .most = (size_t)1 << 31 });
    say(&half, "\0\0\0\200some", 8);
    il__refuse(0);
    assert_int_equal(receive(half.frames, SOON), -ETIMEDOUT);
    assert_true(il__refuse(0) <= 2); /* one buffer of the smallest size, and the watcher's */
    half_free(&half);
}

static void sending_to_nobody_is_epipe_without_a_signal(void **state)
{
    for (int i = 0; i < 2; i++) {
        int ends[2];
        il_frames *frames;
        assert_int_equal(i ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(il_frames_new(-1, ends[1], NULL, &frames), 0);
        close(ends[0]);
        assert_int_equal(il_frames_send(frames, "hello", 5, LATE), -EPIPE);
        assert_int_equal(il_frames_send(frames, "hello", 5, LATE), -EPIPE);
        assert_int_equal(receive(frames, IL_NOW), -EINVAL); /* it has no such direction */
        il_frames_free(frames);
    }
}

/* --- A buffer, and giving up ----------------------------------------------------------------- */

static void a_small_buffer_is_told_and_nothing_is_lost(void **state)
{
    char room[12];
    size_t size = 0;
    il_frames *ends[2];
    open_pair(ends);
    assert_int_equal(il_frames_send(ends[0], "twelve bytes", 12, LATE), 0);
    assert_int_equal(il_frames_receive(ends[1], room, 11, LATE, &size), -ENOBUFS);
    assert_int_equal(size, 12);
    assert_int_equal(il_frames_receive(ends[1], NULL, 0, IL_NOW, &size), -ENOBUFS);
    assert_int_equal(il_frames_receive(ends[1], room, 12, IL_NOW, &size), 0);
    assert_memory_equal(room, "twelve bytes", 12);
    free_pair(ends);
}

static void receiving_gives_up(void **state)
{
    il_frames *ends[2];
    open_pair(ends);
    assert_gives_up(state, receive, ends[1]);
    free_pair(ends);
}

static void a_receive_given_up_at_any_byte_loses_nothing(void **state)
{
    static const char bytes[] = "\5\0\0\0first\0\0\0\0\6\0\0\0second";
    struct half half = half_of(NULL);
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        if (i == 9) assert_next(half.frames, "first");
        if (i == 13) assert_next(half.frames, "");
        assert_int_equal(receive(half.frames, i % 3 ? IL_NOW : PAST), i % 3 ? -EAGAIN : -ETIMEDOUT);
        say(&half, bytes + i, 1);
    }
    assert_next(half.frames, "second");
    half_free(&half);
}

static int send_megabyte(void *frames, il_time until)
{
    static char megabyte[1 << 20];
    return il_frames_send(frames, megabyte, sizeof megabyte, until);
}

static void a_send_given_up_half_way_is_finished_before_the_next(void **state)
{
    static char room[1 << 20];
    il_frames *ends[2];
    size_t size = 0;
    open_pair(ends);
    assert_int_equal(send_megabyte(ends[0], IL_NOW), 0); /* it was begun, so it is on its way */
    assert_int_equal(send_megabyte(ends[0], IL_NOW), -EAGAIN);
    assert_int_equal(il_frames_send(ends[0], "next", 4, SOON), -ETIMEDOUT);
    assert_int_equal(il_frames_flush(ends[0], SOON), -ETIMEDOUT);
    assert_int_equal(il_frames_receive(ends[1], room, sizeof room, SOON, &size), -ETIMEDOUT);
    while (il_frames_flush(ends[0], IL_NOW)) assert_int_equal(receive(ends[1], IL_NOW), -EAGAIN);
    assert_int_equal(il_frames_receive(ends[1], room, sizeof room, LATE, &size), 0);
    assert_int_equal(size, sizeof room);
    assert_int_equal(il_frames_send(ends[0], "next", 4, LATE), 0);
    assert_next(ends[1], "next");
    free_pair(ends);
}

static void sending_gives_up_and_nothing_was_sent(void **state)
{
    il_frames *ends[2];
    open_pair(ends);
    assert_int_equal(send_megabyte(ends[0], IL_NOW), 0);
    assert_gives_up(state, send_megabyte, ends[0]);
    free_pair(ends);
}

/* --- Processes and named pipes --------------------------------------------------------------- */

static int answer_frames(void *in, void *out)
{
    il_frames *frames = NULL;
    char room[1000];
    size_t size;
    int status = il_frames_new(0, 1, NULL, &frames);
    while (!status && !(status = il_frames_receive(frames, room, sizeof room, LATE, &size))) {
        for (size_t i = 0; i < size / 2; i++) {
            char swap = room[i];
            room[i] = room[size - 1 - i];
            room[size - 1 - i] = swap;
        }
        status = il_frames_send(frames, room, size, LATE);
    }
    return status == -EPIPE ? 0 : status;
}

static void a_child_speaks_in_frames(void **state)
{
    il_process *child = NULL;
    il_frames *frames = NULL;
    il_process_opts opts = { .in = IL_PIPE, .out = IL_PIPE };
    assert_int_equal(il_process_call(answer_frames, NULL, 0, 0, &opts, &child), 0);
    assert_int_equal(il_frames_of_process(child, NULL, &frames), 0);
    assert_int_equal(il_process_pipe(child, 0), -1);
    assert_int_equal(il_frames_send(frames, "stressed", 8, LATE), 0);
    assert_next(frames, "desserts");
    assert_int_equal(il_frames_close(frames, LATE), 0);
    assert_int_equal(receive(frames, LATE), -EPIPE);
    assert_int_equal(il_process_get(child, LATE, NULL), 0);
    il_frames *none = NULL;
    assert_int_equal(il_frames_of_process(child, NULL, &none), -EINVAL);
    il_frames_free(frames);
    il_process_free(child);
}

static void a_child_killed_in_a_frame_is_eproto(void **state)
{
    il_process *child = NULL;
    il_frames *frames = NULL;
    il_process_opts opts = { .out = IL_PIPE };
    const char *const argv[] = { "/bin/sh", "-c", "printf '\\005\\0\\0\\0hel'; kill -9 $$", NULL };
    assert_int_equal(il_process_start(argv, &opts, &child), 0);
    assert_int_equal(il_frames_of_process(child, NULL, &frames), 0);
    assert_int_equal(receive(frames, LATE), -EPROTO);
    il_frames_free(frames);
    il_process_free(child);
}

struct named {
    char path[64];
    il_latch *open;
};

static int send_by_name(void *in, void *out)
{
    struct named *named = in;
    il_frames *frames = NULL;
    int status = il_frames_open(named->path, IL_TO_SEND, NULL, LATE, &frames);
    if (!status) status = il_frames_send(frames, "by name", 7, LATE);
    il_frames_free(frames);
    return status;
}

static int receive_by_name(void *in, void *out)
{
    struct named *named = in;
    char room[10] = "";
    size_t size = 0;
    il_frames *frames = NULL;
    int status = il_frames_open(named->path, IL_TO_RECEIVE, NULL, LATE, &frames);
    if (!status) status = il_frames_receive(frames, room, sizeof room, LATE, &size);
    if (!status) status = size != 7 || strcmp(room, "by name") != 0;
    if (!status) status = receive(frames, LATE) != -EPIPE;
    il_frames_free(frames);
    return status;
}

static void named_pipes_meet_in_either_order(void **state)
{
    for (int order = 0; order < 2; order++) {
        struct named named = { .open = NULL };
        struct crew crew;
        il_frames *none = NULL;
        snprintf(named.path, sizeof named.path, "/tmp/il_frames_%d_%d", (int)getpid(), order);
        if (order)
            assert_int_equal(il_frames_open(named.path, IL_TO_SEND, NULL, IL_NOW, &none), -EAGAIN);
        crew_open(&crew, state);
        crew_add(&crew, order ? send_by_name : receive_by_name, &named);
        crew_add(&crew, order ? receive_by_name : send_by_name, &named);
        assert_int_equal(crew_join(&crew), 0);
        unlink(named.path);
    }
    il_frames *none = NULL;
    assert_int_equal(il_frames_open("/dev/null", IL_TO_SEND, NULL, LATE, &none), -EEXIST);
}

static void impossible_descriptors_are_refused(void **state)
{
    il_frames *frames = NULL;
    assert_int_equal(il_frames_new(-1, -1, NULL, &frames), -EINVAL);
    assert_int_equal(il_frames_new(999, 999, NULL, &frames), -EBADF);
    assert_null(frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_as_they_were_sent),
        EACH_CREW(both_ways_at_once_do_not_block_each_other),
        EACH_CREW(frames_of_several_senders_are_not_mixed),
        cmocka_unit_test(the_end_between_frames_is_epipe),
        cmocka_unit_test(the_end_in_a_frame_is_eproto),
        cmocka_unit_test(a_frame_above_the_limit_is_refused_on_both_sides),
        cmocka_unit_test(what_is_announced_costs_nothing_until_it_comes),
        cmocka_unit_test(sending_to_nobody_is_epipe_without_a_signal),
        cmocka_unit_test(a_small_buffer_is_told_and_nothing_is_lost),
        EACH_CREW(receiving_gives_up),
        cmocka_unit_test(a_receive_given_up_at_any_byte_loses_nothing),
        cmocka_unit_test(a_send_given_up_half_way_is_finished_before_the_next),
        EACH_CREW(sending_gives_up_and_nothing_was_sent),
        cmocka_unit_test(a_child_speaks_in_frames),
        cmocka_unit_test(a_child_killed_in_a_frame_is_eproto),
        EACH_CREW(named_pipes_meet_in_either_order),
        cmocka_unit_test(impossible_descriptors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
