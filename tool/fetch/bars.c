/* SPDX-License-Identifier: MIT */
/*
 * What is drawn while files come. A worker process has nothing to share with us but the file that it
 * writes, so there the size of that is looked at.
 */

#include "fetch/bars.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/name.h"
#include "term.h"

enum { CELLS = 12, NAME_WIDTH = 28 };

struct view {
    const struct slot *slot;
    int64_t size, from, whole;
};

static struct view look_at(const struct slot *slot, const struct fetch_options *options)
{
    struct view view = {
        .slot = slot,
        .size = atomic_load_explicit(&slot->live.size, memory_order_relaxed),
        .from = atomic_load_explicit(&slot->live.from, memory_order_relaxed),
        .whole = atomic_load_explicit(&slot->live.whole, memory_order_relaxed),
    };
    char path[PATH_MAX], part[PATH_MAX + 16];
    struct stat about;

    if (options->kind->apart && fetch_path(options, slot->file->name, path, sizeof path)) {
        snprintf(part, sizeof part, "%s" FETCH_PART, path);
        if (!stat(part, &about)) view.size = about.st_size;
    }
    return view;
}

/* The longest under way, the longest first. */
static unsigned find_oldest(const struct slot *slots, unsigned count,
                            const struct slot *oldest[PROGRESS_LINES])
{
    unsigned found = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!slots[i].file) continue;
        unsigned at = found < PROGRESS_LINES ? found++ : PROGRESS_LINES;
        for (; at && oldest[at - 1]->began > slots[i].began; at--)
            if (at < PROGRESS_LINES) oldest[at] = oldest[at - 1];
        if (at < PROGRESS_LINES) oldest[at] = &slots[i];
    }
    return found;
}

static int put_bytes(char *out, size_t size, double bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    int unit = 0;

    for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
    return snprintf(out, size, "%.*f %s", unit && bytes < 100, bytes, units[unit]);
}

static void put_left(char *out, size_t size, double seconds)
{
    if (seconds < 60) snprintf(out, size, "%.0f s left", seconds + 1);
    else snprintf(out, size, "%.0f:%02d left", seconds / 60, (int)seconds % 60);
}

/* Names may hold what a terminal would obey. */
static void put_name(char *out, const char *name)
{
    size_t length = strnlen(name, NAME_WIDTH);

    for (size_t i = 0; i < length; i++) out[i] = (unsigned char)name[i] < ' ' ? '?' : name[i];
    for (; length < NAME_WIDTH; length++) out[length] = ' ';
    out[length] = 0;
}

static void put_view(const struct view *view, char line[PROGRESS_WIDTH])
{
    char name[NAME_WIDTH + 1], bar[TERM_BAR(CELLS)] = "", size[24], speed[24], left[32] = "";
    double seconds = (double)(il_now() - view->slot->began) / 1e9;
    double rate = seconds > 0 ? (double)(view->size - view->from) / seconds : 0;
    double share = view->whole > 0 ? (double)view->size / (double)view->whole : 0;

    put_name(name, view->slot->file->name);
    put_bytes(size, sizeof size, (double)view->size);
    put_bytes(speed, sizeof speed, rate);
    if (view->whole > 0) {
        term_bar(bar, CELLS, share, ' ');
        if (rate > 0) put_left(left, sizeof left, (double)(view->whole - view->size) / rate);
    } else {
        snprintf(bar, sizeof bar, "%*s", CELLS, "");
    }
    snprintf(line, PROGRESS_WIDTH, "  %s %s %3.0f%%  %9s  %9s/s  %s", name, bar, 100 * share, size,
             speed, left);
}

static double share_of(const struct view *view)
{
    return view->whole > 0 ? (double)view->size / (double)view->whole : 0;
}

void progress_files(const struct slot *slots, const struct fetch_options *options, size_t over,
                    size_t total, int64_t bytes)
{
    static il_time began;
    const struct slot *oldest[PROGRESS_LINES];
    char lines[PROGRESS_LINES][PROGRESS_WIDTH], words[32];
    double done = (double)over;

    if (!began) began = il_now();
    if (!progress_is_due()) return;
    for (unsigned i = 0; i < options->slots; i++) {
        if (!slots[i].file) continue;
        struct view view = look_at(&slots[i], options);
        done += share_of(&view);
        bytes += view.size - view.from;
    }
    unsigned count = find_oldest(slots, options->slots, oldest);
    for (unsigned i = 0; i < count; i++) {
        struct view view = look_at(oldest[i], options);
        put_view(&view, lines[i]);
    }
    int length =
        put_bytes(words, sizeof words - 3, (double)bytes / ((double)(il_now() - began + 1) / 1e9));
    memcpy(words + length, "/s", 3);
    progress_more(words, lines, count);
    progress_show(done / (double)total, over);
}
