/* SPDX-License-Identifier: MIT */
/*
 * The program's own constructors, as its start would run them. The constructor of a preloaded library
 * is the last before those, and a zygote does not return from it: so that functions of the
 * program find its C++ statics made, they are run from there.
 */

#include <elf.h>
#include <link.h>
#include <stddef.h>

#include "proc/zygote.h"

typedef void constructor(int argc, char **argv, char **environment);

struct program {
    uintptr_t base;
    const ElfW(Dyn) * dynamic;
};

static int look_at_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct program *program = arg;
    program->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            program->dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    return 1; /* it is the first that is listed */
}

void il__run_constructors(int argc, char **argv, char **environment)
{
    struct program program = { .dynamic = NULL };
    uintptr_t first = 0, array = 0;
    size_t count = 0;
    dl_iterate_phdr(look_at_program, &program);
    for (const ElfW(Dyn) *entry = program.dynamic; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_INIT) first = program.base + entry->d_un.d_ptr;
        if (entry->d_tag == DT_INIT_ARRAY) array = program.base + entry->d_un.d_ptr;
        if (entry->d_tag == DT_INIT_ARRAYSZ) count = entry->d_un.d_val / sizeof(constructor *);
    }
    if (first)
        ((constructor *)first)(argc, argv, environment); // NOLINT: an address of the loader's
    for (size_t i = 0; array && i < count; i++)
        ((constructor **)array)[i](argc, argv, environment); // NOLINT: likewise
}
