/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_MODULE_H
#define IL_PROC_MODULE_H

/*
 * How a function crosses to another process: never as an address, since each process loads things
 * elsewhere, but as a module (the program or a shared library) and an offset in it. A module is known
 * by its build id; without one, by its code.
 */

#include <stdint.h>

#include <interlock/executor.h>

enum { IL__PATH = 1024, IL__BUILD_ID = 32 };

typedef struct il__module {
    unsigned char id[IL__BUILD_ID];
    char path[IL__PATH]; /* "": the program itself */
} il__module;

/* The module that fn is in, and its offset there. 0; -ENOEXEC: it is in none. */
int il__module_of(il_fn *fn, il__module *out_module, uint64_t *out_offset);

/* Where that module lies in this process, loading it if it is not there. 0, or -ENOEXEC when it
 * cannot be found or is another build; that is noted with words. */
int il__module_find(const il__module *module, uintptr_t *out_base);

/* A number that changes when a module is unloaded: then addresses mean something else. */
unsigned long long il__module_changes(void);

#endif
