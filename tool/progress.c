/* SPDX-License-Identifier: MIT */
/*
 * The progress line. The cursor is never hidden and the terminal's settings are never touched, so
 * that the worst that kill -9 can leave behind is a line of text. Signals that end the program are
 * caught while there may be a line, only to take it away; the program still ends by the signal.
 */

#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>

#include "term.h"

#define ERASE "\r\033[K"
#define ERASE_ABOVE "\033[A\033[K"

static struct {
    const char *what, *unit;
    il_time began, drawn;
    volatile sig_atomic_t on, visible; /* visible: so many lines */
    char words[PROGRESS_WIDTH];        /* in place of the rate */
    char below[PROGRESS_LINES][PROGRESS_WIDTH];
    unsigned below_count;
} line;

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
enum { ENDS = sizeof ends / sizeof *ends };
enum { BAR_LEAST = 8, BAR_MOST = 40, WORDS_WIDTH = 40 };

static void erase(void)
{
    static const char all[] =
        ERASE ERASE_ABOVE ERASE_ABOVE ERASE_ABOVE ERASE_ABOVE; /* of 1 + PROGRESS_LINES lines */
    size_t above = sizeof ERASE_ABOVE - 1;

    if (!line.visible) return;
    size_t size = sizeof ERASE - 1 + above * (size_t)(line.visible - 1);
    line.visible = 0;
    if (write(STDERR_FILENO, all, size) < 0) return; /* the terminal is gone */
}

/* On the main thread, which is the one that draws: it can be in the middle of nothing else. */
static void end_by_signal(int number)
{
    if (gettid() != getpid()) {
        tgkill(getpid(), getpid(), number);
        return;
    }
    erase();
    signal(number, SIG_DFL);
    raise(number); /* delivered when this handler returns */
}

static void catch_ends(bool on)
{
    for (int i = 0; i < ENDS; i++) {
        struct sigaction before, action = { .sa_handler = on ? end_by_signal : SIG_DFL };

        /* One that is ignored stays so: nohup, or a shell's background job. */
        if (!sigaction(ends[i], NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(ends[i], &action, NULL);
    }
}

void progress_begin(const char *what, const char *unit)
{
    if (!term_is_tty(STDERR_FILENO)) return;
    line.what = what;
    line.unit = unit;
    line.began = il_now();
    line.drawn = line.began + IL_MS(400);
    line.on = 1;
    catch_ends(true);
}

/* 1234567 is 1.2 M. */
static int rate(char *out, size_t size, double per_second)
{
    static const char *const prefixes[] = { "", " k", " M", " G" };
    unsigned i = 0;

    for (; per_second >= 1000 && i < 3; i++) per_second /= 1000;
    return snprintf(out, size, "%.*f%s/s", per_second < 10, per_second, prefixes[i]);
}

static int left(char *out, size_t size, double seconds)
{
    long whole = (long)seconds + 1;

    if (whole < 60) return snprintf(out, size, "%ld s left", whole);
    if (whole < 3600) return snprintf(out, size, "%ld:%02ld left", whole / 60, whole % 60);
    return snprintf(out, size, "%ld:%02ld:%02ld left", whole / 3600, whole / 60 % 60, whole % 60);
}

void progress_show(double share, uint64_t count)
{
    il_time now = il_now();
    if (!line.on || now - line.drawn < IL_MS(100)) return;
    line.drawn = now;

    double seconds = (double)(now - line.began) / 1e9;
    char number[32], speed[32], rest[48] = "", words[PROGRESS_WIDTH + 160], text[2048];
    rate(speed, sizeof speed, (double)count / seconds);
    if (share > 0.01 && share <= 1) left(rest, sizeof rest, seconds * (1 - share) / share);
    int unit = (int)strlen(line.unit) - (count == 1); /* 1 file */
    snprintf(words, sizeof words, "%s %.*s  %s%s%s", term_count(number, count), unit, line.unit,
             *line.words ? line.words : speed, *rest ? "  " : "", rest);

    /* What there is room for: words before the bar, and never a second line. */
    unsigned width = term_width(STDERR_FILENO) - 1;
    unsigned used = (unsigned)(strlen(line.what) + 2 + (share < 0 ? 0 : sizeof " 100%  "));
    unsigned taken = (unsigned)strlen(words) < WORDS_WIDTH ? WORDS_WIDTH : (unsigned)strlen(words);
    unsigned cells = width > used + taken + BAR_LEAST ? width - used - taken : 0;
    size_t at = (size_t)snprintf(text, sizeof text, "%s  ", line.what);
    if (share >= 0) {
        at += term_bar(text + at, cells > BAR_MOST ? BAR_MOST : cells, share, ' ');
        at += (size_t)snprintf(text + at, sizeof text - at, cells ? " %3d%%  " : "%d%%  ",
                               (int)(share * 100));
    }
    if (width >= used + strlen(words))
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", words);
    if (width < used) at = 0;
    for (unsigned i = 0; i < line.below_count && width >= used; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "\r\n%s", line.below[i]);

    erase();
    line.visible = 1 + (width >= used ? (int)line.below_count : 0);
    if (write(STDERR_FILENO, text, at) < 0) line.on = 0;
}

bool progress_is_due(void)
{
    return line.on && il_now() - line.drawn >= IL_MS(100);
}

/* UTF-8 is not cut within a character, and counts one column for each. */
static void copy_line(char *out, const char *from, unsigned width)
{
    unsigned columns = 0, size = 0;

    for (; from[size] && size < PROGRESS_WIDTH - 1; size++) {
        bool begins = ((unsigned char)from[size] & 0xc0) != 0x80;
        if (begins && columns == width) break;
        columns += begins;
    }
    while (size && ((unsigned char)from[size] & 0xc0) == 0x80) size--;
    memcpy(out, from, size);
    out[size] = 0;
}

void progress_more(const char *words, const char lines[][PROGRESS_WIDTH], unsigned count)
{
    unsigned width = term_width(STDERR_FILENO) - 1;

    copy_line(line.words, words ? words : "", PROGRESS_WIDTH);
    line.below_count = count < PROGRESS_LINES ? count : PROGRESS_LINES;
    for (unsigned i = 0; i < line.below_count; i++) copy_line(line.below[i], lines[i], width);
}

void progress_hide(void)
{
    erase();
}

void progress_end(void)
{
    if (!line.on) return;
    erase();
    line.on = 0;
    line.below_count = 0;
    *line.words = 0;
    catch_ends(false);
}
