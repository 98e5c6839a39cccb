/* SPDX-License-Identifier: MIT */
/* CPU time that a process without any pool uses in a second: what sleeping itself costs. */

#include <idle_work.h>

int main(int argc, char **argv)
{
    idle_measure(argv, "plain");
    return argc == 0;
}
