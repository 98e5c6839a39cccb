/* SPDX-License-Identifier: MIT */
/*
 * CPUs: online, affinity, and the quota of the cgroup we are in. A cgroup is limited by all above it
 * as well, so each level up to the root of the mounted tree is asked: version 2 (cpu.max), then
 * version 1 (cpu.cfs_quota_us). In a container the tree as mounted may begin at our own group; then
 * the path that /proc gives is not there, and the root of the mount is ours.
 */

#include <interlock/cpu.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/cpu.h"

/* Read a small file whole; false if it is not there. */
static bool read_file(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t length = read(fd, buffer, size - 1);
    close(fd);
    buffer[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* The limit that one group sets itself, or 0. */
static double quota_of_group(const char *group)
{
    char path[600], text[64];
    double quota, period;

    snprintf(path, sizeof path, "%s/cpu.max", group);
    if (read_file(path, text, sizeof text))
        return sscanf(text, "%lf %lf", &quota, &period) == 2 && period > 0 ? quota / period : 0;

    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", group);
    if (!read_file(path, text, sizeof text) || (quota = atof(text)) <= 0) return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", group);
    if (!read_file(path, text, sizeof text) || (period = atof(text)) <= 0) return 0;
    return quota / period;
}

/* The tightest limit of `path` below `mount` and of all groups above it, or 0. */
static double quota_of_path(const char *mount, const char *path)
{
    char group[512];
    double tightest = 0;
    size_t root = strlen(mount);

    if ((size_t)snprintf(group, sizeof group, "%s%s", mount, path) >= sizeof group) return 0;
    for (;;) {
        double quota = quota_of_group(group);
        if (quota > 0 && (tightest <= 0 || quota < tightest)) tightest = quota;
        char *slash = strrchr(group, '/');
        if (!slash || (size_t)(slash - group) < root) return tightest;
        *slash = 0;
    }
}

/* Does the comma-separated `list` name the controller "cpu"? */
static bool names_cpu(const char *list)
{
    for (const char *word = list; word; word = strchr(word, ',')) {
        if (*word == ',') word++;
        if (!strncmp(word, "cpu", 3) && (word[3] == ',' || !word[3])) return true;
    }
    return false;
}

double il__cpu_quota(const char *proc_cgroup, const char *mount)
{
    char text[4096], versioned[300];
    double tightest = 0;
    if (!read_file(proc_cgroup, text, sizeof text)) return 0;

    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        strsep(&line, ":");                     /* number of the hierarchy */
        char *controllers = strsep(&line, ":"); /* empty: version 2 */
        if (!controllers || !line) continue;
        if (*controllers && !names_cpu(controllers)) continue;

        static const char *const places[2][3] = { { "", "/unified", NULL },
                                                  { "/cpu", "/cpu,cpuacct", NULL } };
        for (const char *const *place = places[*controllers != 0]; *place; place++) {
            snprintf(versioned, sizeof versioned, "%s%s", mount, *place);
            double quota = quota_of_path(versioned, line);
            if (quota > 0 && (tightest <= 0 || quota < tightest)) tightest = quota;
        }
    }
    return tightest;
}

static int count_affinity(void)
{
    for (int cpus = 1024; cpus <= 1 << 16; cpus *= 2) {
        size_t size = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *set = CPU_ALLOC(cpus);
        int count = set && !sched_getaffinity(0, size, set) ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count) return count;
    }
    return 0;
}

int il_cpu_count(il_cpus *out_cpus)
{
    il_cpus cpus = {
        .online = (int)sysconf(_SC_NPROCESSORS_ONLN),
        .affinity = count_affinity(),
        .quota = il__cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup"),
    };
    if (cpus.online < 1) cpus.online = 1;
    if (cpus.affinity < 1) cpus.affinity = cpus.online;

    cpus.usable = cpus.affinity;
    if (cpus.quota > 0 && cpus.quota < cpus.usable) {
        cpus.usable = (int)cpus.quota;
        if (cpus.usable < cpus.quota) cpus.usable++;
    }
    if (cpus.usable < 1) cpus.usable = 1;
    if (out_cpus) *out_cpus = cpus;
    return cpus.usable;
}
