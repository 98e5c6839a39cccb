/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_CPU_H
#define IL_OS_CPU_H

/* The CPU quota of the groups in `proc_cgroup` (/proc/self/cgroup), with the cgroup tree mounted at
 * `mount`: CPU seconds a second, 0 when there is none. Apart from il_cpu_count for the tests. */
double il__cpu_quota(const char *proc_cgroup, const char *mount);

#endif
