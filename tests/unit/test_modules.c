/* SPDX-License-Identifier: MIT */
/* Functions of libraries that were loaded late cross to workers, unless the library is another one
 * there. plugin.c is the library; a test has a copy of one of its builds, in a folder of its own. */

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <interlock/processes.h>

#include "work.h"

static il_executor *pool;
static char folder[64], copy[80], start[400];
static void *library;

/* The build of that name takes the place of the copy, as an installation would. */
static int install(const char *name)
{
    char from[600], next[100];
    struct stat info;
    ssize_t length = readlink("/proc/self/exe", from, 500);
    if (length < 0) return -1;
    from[length] = 0;
    snprintf(strrchr(from, '/') + 1, 60, "plugin_%s.so", name);
    snprintf(next, sizeof next, "%s.new", copy);
    int in = open(from, O_RDONLY), out = open(next, O_WRONLY | O_CREAT, 0755);
    bool copied = in >= 0 && out >= 0 && !fstat(in, &info) &&
                  sendfile(out, in, NULL, (size_t)info.st_size) == info.st_size;
    close(in);
    close(out);
    return copied && !rename(next, copy) ? 0 : -1;
}

static int open_all(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/interlock-XXXXXX");
    if (!getcwd(start, sizeof start) || !mkdtemp(folder)) return -1;
    snprintf(copy, sizeof copy, "%s/plugin.so", folder);
    return il_processes_new(&(il_processes_opts){ .workers = 1 }, &pool);
}

static int close_all(void **state)
{
    (void)state;
    il_executor_free(pool);
    if (library) dlclose(library);
    library = NULL;
    unlink(copy);
    return chdir(start) || rmdir(folder);
}

static il_fn *load(const char *path)
{
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return library ? (il_fn *)dlsym(library, "multiply") : NULL;
}

/* What fn makes of 7 in a worker, or why it does not. */
static long run(il_fn *fn)
{
    long in = 7, out = -1;
    int status = il_map(pool, fn, &in, &out, 1, NULL);
    return status ? status : out;
}

static void a_function_of_a_library_that_was_loaded_late_crosses(void **state)
{
    (void)state;
    assert_int_equal(install("two"), 0);
    il_fn *fn = load(copy);
    assert_non_null(fn);
    assert_int_equal(run(fn), 14);
    assert_int_equal(run(fn), 14);
}

static void a_library_is_found_from_another_directory(void **state)
{
    (void)state;
    assert_int_equal(install("two"), 0);
    assert_int_equal(chdir(folder), 0); /* the pool was made elsewhere */
    il_fn *fn = load("./plugin.so");
    assert_non_null(fn);
    assert_int_equal(run(fn), 14);
}

static void another_build_by_now_is_enoexec(void **state)
{
    (void)state;
    assert_int_equal(install("two"), 0);
    il_fn *fn = load(copy);
    assert_non_null(fn);
    assert_int_equal(install("three"), 0);
    assert_int_equal(run(fn), -ENOEXEC);
    char words[500];
    il_error_format(il_last_error(), words, sizeof words);
    assert_says(words, "is another build by now");
    assert_says(words, copy);

    assert_int_equal(install("two"), 0); /* put back, it is the right one again */
    assert_int_equal(run(fn), 14);
}

static void without_a_build_id_the_code_tells_builds_apart(void **state)
{
    (void)state;
    assert_int_equal(install("nameless"), 0);
    il_fn *fn = load(copy);
    assert_non_null(fn);
    assert_int_equal(install("changed"), 0);
    assert_int_equal(run(fn), -ENOEXEC);
    assert_int_equal(install("nameless"), 0);
    assert_int_equal(run(fn), 35);
}

static void a_library_that_is_gone_is_enoexec(void **state)
{
    (void)state;
    assert_int_equal(install("two"), 0);
    il_fn *fn = load(copy);
    assert_non_null(fn);
    unlink(copy);
    assert_int_equal(run(fn), -ENOEXEC);
    char words[500];
    il_error_format(il_last_error(), words, sizeof words);
    assert_says(words, "cannot load the library");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_ITS_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)
        IN_ITS_FOLDER(a_function_of_a_library_that_was_loaded_late_crosses),
        IN_ITS_FOLDER(a_library_is_found_from_another_directory),
        IN_ITS_FOLDER(another_build_by_now_is_enoexec),
        IN_ITS_FOLDER(without_a_build_id_the_code_tells_builds_apart),
        IN_ITS_FOLDER(a_library_that_is_gone_is_enoexec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
