/* SPDX-License-Identifier: MIT */
/* Claims about il_file. */

#include <interlock/file.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "work.h"

static char folder[64], path[80], other[80];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/il-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/one", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

enum { BOTH = IL_FILE_READ | IL_FILE_WRITE, LARGE = 1 << 20 };

static il_file *open_file(unsigned how)
{
    il_file *file = NULL;
    assert_int_equal(il_file_open(path, how, 0600, LATE, &file), 0);
    return file;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static char data[LARGE], back[LARGE + 10];
    size_t size = 0;
    struct stat found;
    il_file *file = open_file(BOTH | IL_FILE_CREATE);
    for (size_t i = 0; i < LARGE; i++) data[i] = (char)(i * 13 + (i >> 9));
    assert_int_equal(il_file_write(file, data, LARGE, 5, LATE), 0);
    assert_int_equal(il_file_sync(file, LATE), 0);
    assert_int_equal(il_file_read(file, back, sizeof back, 0, LATE, &size), 0);
    assert_int_equal(size, LARGE + 5);
    assert_memory_equal(back + 5, data, LARGE);
    assert_int_equal(il_file_read(file, back, 3, LARGE + 4, LATE, &size), 0);
    assert_int_equal(size, 1);
    assert_int_equal(il_file_read(file, back, 3, LARGE + 5, LATE, &size), 0);
    assert_int_equal(size, 0);
    assert_int_equal(il_file_resize(file, 7, LATE), 0);
    assert_int_equal(il_file_stat(file, &found), 0);
    assert_int_equal(found.st_size, 7);
    il_file_close(file);
    il_file_close(NULL);
}

static void how_it_is_opened_is_kept(void **state)
{
    (void)state;
    il_file *file = NULL;
    size_t size;
    char byte;
    assert_int_equal(il_file_open(path, BOTH, 0, LATE, &file), -ENOENT);
    assert_int_equal(il_file_open(path, IL_FILE_CREATE, 0, LATE, &file), -EINVAL);
    assert_int_equal(il_file_open(folder, IL_FILE_WRITE, 0, LATE, &file), -EISDIR);
    assert_null(file);
    file = open_file(IL_FILE_WRITE | IL_FILE_CREATE | IL_FILE_NEW);
    assert_int_equal(il_file_write(file, "words", 5, 0, LATE), 0);
    assert_int_equal(il_file_read(file, &byte, 1, 0, LATE, &size), -EBADF);
    il_file_close(file);
    unsigned again = IL_FILE_WRITE | IL_FILE_CREATE | IL_FILE_NEW;
    assert_int_equal(il_file_open(path, again, 0600, LATE, &file), -EEXIST);
    file = open_file(IL_FILE_READ);
    assert_int_equal(il_file_write(file, "x", 1, 0, LATE), -EBADF);
    assert_int_equal(il_file_read(file, &byte, 1, 4, LATE, &size), 0);
    assert_int_equal(byte, 's');
    il_file_close(file);
    file = open_file(BOTH | IL_FILE_TRUNCATE);
    assert_int_equal(il_file_read(file, &byte, 1, 0, LATE, &size), 0);
    assert_int_equal(size, 0);
    il_file_close(file);
}

static void whole_one_is_loaded(void **state)
{
    (void)state;
    void *data = NULL;
    size_t size = 0;
    il_file *file = open_file(BOTH | IL_FILE_CREATE);
    assert_int_equal(il_file_load(path, 10, LATE, &data, &size), 0); /* empty */
    assert_int_equal(size, 0);
    assert_string_equal(data, "");
    free(data);
    assert_int_equal(il_file_write(file, "0123456789", 10, 0, LATE), 0);
    assert_int_equal(il_file_load(path, 10, LATE, &data, &size), 0);
    assert_int_equal(size, 10);
    assert_string_equal(data, "0123456789");
    free(data);
    assert_int_equal(il_file_load(path, 9, LATE, &data, &size), -EFBIG);
    assert_int_equal(il_file_load("/dev/zero", 100000, LATE, &data, &size), -EFBIG);
    assert_int_equal(il_file_load(other, 9, LATE, &data, &size), -ENOENT);
    il_file_close(file);
}

static void names_change_and_go(void **state)
{
    (void)state;
    il_file_close(open_file(BOTH | IL_FILE_CREATE));
    assert_int_equal(il_file_rename(path, other, LATE), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(il_file_rename(path, other, LATE), -ENOENT);
    assert_int_equal(il_file_remove(other, LATE), 0);
    assert_int_equal(il_file_remove(other, LATE), -ENOENT);
}

/* A named pipe without a writer: whoever opens it waits, here for ever. */
static int open_hanging(void *object, il_time until)
{
    il_file *file = NULL;
    int status = il_file_open(object, IL_FILE_READ, 0, until, &file);
    il_file_close(file);
    return status;
}

static void call_that_hangs_is_given_up(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    void *kind = (void *)&crew_kinds[FIBERS];
    assert_gives_up(&kind, open_hanging, path);
    int end;
    do end = open(path, O_WRONLY | O_NONBLOCK); /* lets go of those that are left on the lane */
    while (end < 0 && errno == ENXIO);
    while (open_hanging(path, LATE)) {}
    close(end);
}

static int load_and_compare(void *in, void *out)
{
    (void)out;
    for (int i = 0; i < 50; i++) {
        void *data = NULL;
        size_t size = 0;
        int status = il_file_load(in, 1 << 20, LATE, &data, &size);
        if (!status && (size != 5 || memcmp(data, "words", 5) != 0)) status = -EBADMSG;
        free(data);
        if (status) return status;
    }
    return 0;
}

static void many_read_at_once(void **state)
{
    (void)state;
    il_file *file = open_file(BOTH | IL_FILE_CREATE);
    assert_int_equal(il_file_write(file, "words", 5, 0, LATE), 0);
    il_file_close(file);
    for (size_t i = 0; i < sizeof crew_kinds / sizeof *crew_kinds; i++) {
        void *kind = (void *)&crew_kinds[i];
        struct crew crew;
        crew_open(&crew, &kind);
        for (int j = 0; j < 8; j++) crew_add(&crew, load_and_compare, path);
        assert_int_equal(crew_join(&crew), 0);
    }
}

static void no_memory_is_a_status(void **state)
{
    (void)state;
    unsigned long asked, nth = 0;
    il_file_close(open_file(BOTH | IL_FILE_CREATE));
    do {
        void *data = NULL;
        size_t size = 0;
        il__refuse(++nth);
        int status = il_file_load(path, 10, LATE, &data, &size);
        asked = il__refuse(0);
        assert_true(status == (asked < nth ? 0 : -ENOMEM));
        free(data);
    } while (asked >= nth);
    assert_true(nth > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(what_is_written_is_read),     IN_A_FOLDER(how_it_is_opened_is_kept),
        IN_A_FOLDER(whole_one_is_loaded),         IN_A_FOLDER(names_change_and_go),
        IN_A_FOLDER(call_that_hangs_is_given_up), IN_A_FOLDER(many_read_at_once),
        IN_A_FOLDER(no_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
