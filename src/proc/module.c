/* SPDX-License-Identifier: MIT */
/* Modules, as the dynamic loader lists them. */

#include "proc/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <interlock/status.h>

/* The build id lies in a note; what is longer than we keep is cut. */
static bool read_build_id(const struct dl_phdr_info *info, unsigned char *id)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_NOTE) continue;
        const char *at = (const char *)(info->dlpi_addr + header->p_vaddr);
        const char *end = at + header->p_memsz;
        size_t step = header->p_align < 8 ? 3 : 7;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const void *)at;
            const char *name = at + sizeof *note;
            const char *words = name + ((note->n_namesz + step) & ~step);
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(name, "GNU", 4)) {
                size_t size = note->n_descsz < IL__BUILD_ID ? note->n_descsz : IL__BUILD_ID;
                memcpy(id, words, size);
                return true;
            }
            at = words + ((note->n_descsz + step) & ~step);
        }
    }
    return false;
}

/* Fowler, Noll, Vo, by words. */
static uint64_t add_to_hash(uint64_t hash, const void *bytes, size_t size)
{
    for (uint64_t word; size >= sizeof word; size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        bytes = (const char *)bytes + sizeof word;
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32; /* the upper bits of a word reach the lower ones of the hash */
    }
    return hash;
}

/* Without a build id: what the headers say, and the code, which nothing is written into. */
static void hash_contents(const struct dl_phdr_info *info, unsigned char *id)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const uint64_t says[] = { header->p_type, header->p_offset, header->p_vaddr,
                                  header->p_filesz, header->p_memsz };
        hash = add_to_hash(hash, says, sizeof says);
        if (header->p_type == PT_LOAD && (header->p_flags & (PF_R | PF_W | PF_X)) == (PF_R | PF_X))
            hash = add_to_hash(hash, (const char *)(info->dlpi_addr + header->p_vaddr),
                               header->p_filesz);
    }
    memcpy(id, &hash, sizeof hash);
}

static void identify(const struct dl_phdr_info *info, unsigned char *id)
{
    memset(id, 0, IL__BUILD_ID);
    if (!read_build_id(info, id)) hash_contents(info, id);
}

static bool contains(const struct dl_phdr_info *info, uintptr_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && address >= begin && address - begin < header->p_memsz)
            return true;
    }
    return false;
}

struct search {
    uintptr_t address; /* of a function, or 0 */
    const il__module *wanted;
    il__module *found;
    uintptr_t base;
    bool first; /* the program itself comes first */
};

static int look_for_address(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct search *search = arg;
    bool is_program = search->first;
    search->first = false;
    if (!contains(info, search->address)) return 0;
    identify(info, search->found->id);
    search->base = info->dlpi_addr;
    if (is_program) return 1;
    char *absolute = realpath(info->dlpi_name, NULL); /* workers may be in another directory */
    int length =
        snprintf(search->found->path, IL__PATH, "%s", absolute ? absolute : info->dlpi_name);
    free(absolute);
    return length > 0 && length < IL__PATH ? 1 : -1;
}

int il__module_of(il_fn *fn, il__module *out_module, uint64_t *out_offset)
{
    struct search search = { .address = (uintptr_t)fn, .found = out_module, .first = true };
    *out_module = (il__module){ 0 };
    if (dl_iterate_phdr(look_for_address, &search) != 1) return -ENOEXEC;
    *out_offset = search.address - search.base;
    return 0;
}

static int look_for_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct search *search = arg;
    unsigned char id[IL__BUILD_ID];
    bool is_program = search->first;
    search->first = false;
    if (is_program != !*search->wanted->path) return 0;
    identify(info, id);
    if (memcmp(id, search->wanted->id, sizeof id) != 0) return 0;
    search->base = info->dlpi_addr;
    return 1;
}

static bool find_loaded(const il__module *module, uintptr_t *out_base)
{
    struct search search = { .wanted = module, .first = true };
    if (!dl_iterate_phdr(look_for_module, &search)) return false;
    *out_base = search.base;
    return true;
}

int il__module_find(const il__module *module, uintptr_t *out_base)
{
    if (find_loaded(module, out_base)) return 0;
    if (!*module->path) return il_fail(-ENOEXEC, "the program is another build in the worker");
    void *library = dlopen(module->path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return il_fail(-ENOEXEC, "a worker cannot load the library of the task: %s", dlerror());
    if (find_loaded(module, out_base)) return 0;
    dlclose(library); /* so that the right one can be loaded when it is back */
    return il_fail(-ENOEXEC, "%s is another build by now than the one that the program has loaded",
                   module->path);
}

static int read_changes(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(unsigned long long *)arg = info->dlpi_subs;
    return 1;
}

unsigned long long il__module_changes(void)
{
    unsigned long long changes = 0;
    dl_iterate_phdr(read_changes, &changes);
    return changes;
}
