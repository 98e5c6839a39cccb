/* SPDX-License-Identifier: MIT */
/* Claims about il_cpu_count: affinity, and quotas of cgroups that the test lays out itself. */

#include "check.h"

#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <sys/stat.h>

#include <interlock/cpu.h>

#include "os/cpu.h"

static char root[] = "/tmp/interlock-cpu-XXXXXX";

static int lay_out(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int clean_up(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Write a file below the root, and make the folders that lead to it. */
static void put(const char *path, const char *words)
{
    char full[300];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(words, file);
    fclose(file);
}

/* The quota of what /proc/self/cgroup says in `proc`, with the tree mounted at `mount`. */
static double quota(const char *proc, const char *mount)
{
    char file[300], folder[300];
    put("proc", proc);
    snprintf(file, sizeof file, "%s/proc", root);
    snprintf(folder, sizeof folder, "%s/%s", root, mount);
    return il__cpu_quota(file, folder);
}

static void assert_quota(double found, double right)
{
    if (fabs(found - right) > 1e-9) fail_msg("quota %g, not %g", found, right);
}

static void quota_of_version_2_is_cpu_max(void **state)
{
    (void)state;
    put("v2/app/cpu.max", "150000 100000\n");
    assert_quota(quota("0::/app\n", "v2"), 1.5);
    put("v2/free/cpu.max", "max 100000\n");
    assert_quota(quota("0::/free\n", "v2"), 0);
}

static void group_is_limited_by_those_above_it(void **state)
{
    (void)state;
    put("tree/a/cpu.max", "200000 100000\n");
    put("tree/a/b/cpu.max", "max 100000\n");
    put("tree/a/b/c/cpu.max", "300000 100000\n");
    assert_quota(quota("0::/a/b/c\n", "tree"), 2);
    put("tree/a/b/c/cpu.max", "50000 100000\n");
    assert_quota(quota("0::/a/b/c\n", "tree"), 0.5);
}

static void in_a_container_the_root_of_the_mount_is_ours(void **state)
{
    (void)state;
    put("box/cpu.max", "250000 100000\n");
    assert_quota(quota("0::/kubepods/pod1/box\n", "box"), 2.5); /* that path is not there */
    assert_quota(quota("0::/\n", "box"), 2.5);
}

static void quota_of_version_1_is_quota_by_period(void **state)
{
    (void)state;
    put("v1/cpu/app/cpu.cfs_quota_us", "300000\n");
    put("v1/cpu/app/cpu.cfs_period_us", "100000\n");
    assert_quota(quota("5:memory:/app\n4:cpu,cpuacct:/app\n", "v1"), 3);
    put("v1/cpu/app/cpu.cfs_quota_us", "-1\n");
    assert_quota(quota("4:cpu,cpuacct:/app\n", "v1"), 0);

    put("both/cpu,cpuacct/app/cpu.cfs_quota_us", "100000\n");
    put("both/cpu,cpuacct/app/cpu.cfs_period_us", "50000\n");
    assert_quota(quota("4:cpuacct,cpu:/app\n", "both"), 2);
    assert_quota(quota("4:cpuset:/app\n3:cpuacct:/app\n", "both"),
                 0); /* names that only begin so */
}

static void hybrid_tree_is_asked_in_both_ways(void **state)
{
    (void)state;
    put("hybrid/unified/app/cpu.max", "400000 100000\n");
    put("hybrid/cpu/app/cpu.cfs_quota_us", "350000\n");
    put("hybrid/cpu/app/cpu.cfs_period_us", "100000\n");
    assert_quota(quota("4:cpu:/app\n0::/app\n", "hybrid"), 3.5);
}

static void nonsense_sets_no_limit(void **state)
{
    (void)state;
    assert_quota(il__cpu_quota("/no/such/file", root), 0);
    assert_quota(quota("", "v2"), 0);
    assert_quota(quota("nonsense\n::\n0:\n", "v2"), 0);
    put("odd/cpu.max", "many of them\n");
    assert_quota(quota("0::/\n", "odd"), 0);
    put("odd/cpu.max", "100000 0\n");
    assert_quota(quota("0::/\n", "odd"), 0);
    put("odd/cpu.max", "");
    assert_quota(quota("0::/\n", "odd"), 0);
}

static void counts_agree_with_each_other(void **state)
{
    (void)state;
    il_cpus cpus = { 0 };
    int usable = il_cpu_count(&cpus);
    assert_int_equal(usable, cpus.usable);
    assert_int_equal(il_cpu_count(NULL), usable);
    assert_true(cpus.online >= 1 && cpus.affinity >= 1 && usable >= 1);
    assert_true(usable <= cpus.affinity);
    if (cpus.quota > 0) assert_true(usable < cpus.quota + 1);
}

static int count_on_one_cpu(void *in, void *out)
{
    (void)out;
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all)) return 1;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++)
        if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one)) return 2;
    return il_cpu_count(in) == 1 ? 0 : 3;
}

static void affinity_is_counted_afresh(void **state)
{
    (void)state;
    il_cpus cpus = { 0 };
    struct crew crew;
    crew_open(&crew, NULL);
    crew_add(&crew, count_on_one_cpu, &cpus);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(cpus.affinity, 1);
    assert_int_equal(cpus.usable, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota_of_version_2_is_cpu_max),
        cmocka_unit_test(group_is_limited_by_those_above_it),
        cmocka_unit_test(in_a_container_the_root_of_the_mount_is_ours),
        cmocka_unit_test(quota_of_version_1_is_quota_by_period),
        cmocka_unit_test(hybrid_tree_is_asked_in_both_ways),
        cmocka_unit_test(nonsense_sets_no_limit),
        cmocka_unit_test(counts_agree_with_each_other),
        cmocka_unit_test(affinity_is_counted_afresh),
    };
    return cmocka_run_group_tests(tests, lay_out, clean_up);
}
