/* SPDX-License-Identifier: MIT */
/* A library that test_modules.c loads, in several builds: FACTOR tells them apart. */

int multiply(void *in, void *out);
int multiply(void *in, void *out)
{
    *(long *)out = *(long *)in * FACTOR;
    return 0;
}
