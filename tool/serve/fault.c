/* SPDX-License-Identifier: MIT */
/* Faults on purpose. Per path, and only where there are faults at all, 16 bytes are kept. */

#include "serve/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define SHARE 0.1 /* where none is given */

static const char *const names[FAULTS] = {
    [FAULT_NONE] = "",
    [FAULT_DROP] = "drop",
    [FAULT_STALL] = "stall",
    [FAULT_SHORT] = "short",
    [FAULT_UNAVAILABLE] = "503",
    [FAULT_CHANGED] = "changed",
    [FAULT_NO_RANGE] = "norange",
    [FAULT_TOO_MANY] = "429",
};

const char *fault_name(enum fault fault)
{
    return names[fault];
}

static enum fault find(const char *name, size_t size)
{
    for (enum fault fault = FAULT_NONE + 1; fault < FAULTS; fault++) {
        if (strlen(names[fault]) == size && !strncmp(name, names[fault], size)) return fault;
    }
    return FAULT_NONE;
}

static int parse_one(struct faults *faults, const char *text, size_t size)
{
    size_t name = strcspn(text, ":,");
    enum fault fault = find(text, name);
    char *end = (char *)text + size;
    double share = SHARE;

    if (!fault)
        return tool_usage("--faults: '%.*s' is none of drop, stall, short, 503, changed, norange, "
                          "429",
                          (int)name, text);
    if (name < size) share = strtod(text + name + 1, &end);
    if (end != text + size || !(share > 0) || share > 1)
        return tool_usage("--faults: '%.*s': a share is above 0 and at most 1", (int)size, text);
    faults->share[fault] = share;
    return 0;
}

int faults_parse(struct faults *faults, const char *text)
{
    double sum = 0;
    int wrong = 0;

    while (!wrong) {
        size_t size = strcspn(text, ",");
        wrong = parse_one(faults, text, size);
        if (!text[size]) break;
        text += size + 1;
    }
    for (int i = 0; i < FAULTS; i++) sum += faults->share[i];
    if (!wrong && sum > 1 + 1e-9) wrong = tool_usage("--faults: the shares add up to more than 1");
    return wrong;
}

bool faults_any(const struct faults *faults)
{
    for (int i = 0; i < FAULTS; i++) {
        if (faults->share[i] > 0) return true;
    }
    return false;
}

struct history {
    uint32_t requests, version;
    bool no_range;
};

struct draw {
    const struct faults *faults;
    const char *path;
    struct fate fate;
};

/* FNV-1a, mixed: 0 to 1. */
static double chance(uint64_t seed, const char *path, uint32_t request)
{
    uint64_t sum = 0xcbf29ce484222325 ^ seed * 0x9e3779b97f4a7c15;

    for (; *path; path++) sum = (sum ^ (unsigned char)*path) * 0x100000001b3;
    sum = (sum ^ request) * 0x100000001b3;
    sum = (sum ^ sum >> 32) * 0xd6e8feb86659fd93;
    sum = (sum ^ sum >> 32) * 0xd6e8feb86659fd93;
    return (double)((sum ^ sum >> 32) >> 11) * 0x1p-53;
}

static enum fault draw_one(const struct faults *faults, const char *path, uint32_t request)
{
    double at = chance(faults->seed, path, request), less = request < 60 ? 1.0 : 0;

    for (uint32_t i = 0; i < request && less > 0; i++) less /= 2;
    for (enum fault fault = FAULT_NONE + 1; fault < FAULTS; fault++) {
        at -= faults->share[fault] * less;
        if (at < 0) return fault;
    }
    return FAULT_NONE;
}

static bool draw(void *value, bool fresh, void *arg)
{
    struct history *history = value;
    struct draw *drawn = arg;
    enum fault fault = draw_one(drawn->faults, drawn->path, history->requests++);

    (void)fresh;
    drawn->fate = (struct fate){ fault, history->version, history->no_range };
    history->version += fault == FAULT_CHANGED;
    history->no_range = history->no_range || fault == FAULT_NO_RANGE;
    return true;
}

struct fate faults_draw(struct faults *faults, const char *path, bool count)
{
    struct draw drawn = { .faults = faults, .path = path };
    struct history history;

    if (!faults_any(faults)) return drawn.fate;
    if (!faults->paths && il_table_new(IL_STRINGS, sizeof history, NULL, &faults->paths))
        return drawn.fate;
    if (count) {
        il_table_update(faults->paths, path, draw, &drawn);
    } else if (il_table_get(faults->paths, path, &history)) {
        drawn.fate.version = history.version;
        drawn.fate.no_range = history.no_range;
    }
    return drawn.fate;
}

void faults_free(struct faults *faults)
{
    il_table_free(faults->paths);
    faults->paths = NULL;
}
