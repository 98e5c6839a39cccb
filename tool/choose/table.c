/* SPDX-License-Identifier: MIT */
/*
 * The table of `interlock choose`. All times are in one unit, found from the slowest row, so that
 * columns can be compared at a glance. Where the terminal is narrow, columns go in the order of
 * their rank, the highest first.
 */

#include "choose/table.h"

#include <string.h>
#include <unistd.h>

#include "term.h"

struct unit {
    const char *name;
    double scale;
};

struct table {
    const il_row *rows;
    size_t count, chosen;
    struct unit unit;
    int digits; /* behind the point of a time */
    double fastest;
};

static void write_time(const struct table *table, char *out, size_t size, double seconds)
{
    snprintf(out, size, "%.*f", table->digits, seconds * table->unit.scale);
}

static void write_on(const struct table *table, const il_row *row, char *out, size_t size)
{
    (void)table;
    snprintf(out, size, "%s", row->on);
}

static void write_at_once(const struct table *table, const il_row *row, char *out, size_t size)
{
    (void)table;
    snprintf(out, size, "%u", row->at_once);
}

static void write_median(const struct table *table, const il_row *row, char *out, size_t size)
{
    write_time(table, out, size, row->median);
}

static void write_interval(const struct table *table, const il_row *row, char *out, size_t size)
{
    char low[16], high[16];

    if (row->runs == 1) {
        snprintf(out, size, "once");
        return;
    }
    write_time(table, low, sizeof low, row->low);
    write_time(table, high, sizeof high, row->high);
    snprintf(out, size, "%s - %s", low, high);
}

static void write_cpu(const struct table *table, const il_row *row, char *out, size_t size)
{
    write_time(table, out, size, row->cpu);
}

static void write_memory(const struct table *table, const il_row *row, char *out, size_t size)
{
    (void)table;
    if (row->peak_kib < 0) snprintf(out, size, "?");
    else snprintf(out, size, "%.1f", (double)row->peak_kib / 1024);
}

static void write_speedup(const struct table *table, const il_row *row, char *out, size_t size)
{
    (void)table;
    snprintf(out, size, "%.2f", row->speedup);
}

static const struct column {
    const char *name;
    int width; /* at least, negative: to the left */
    int rank;  /* the highest goes first where there is no room; 0: never */
    void (*write)(const struct table *table, const il_row *row, char *out, size_t size);
} columns[] = {
    { "executor", -8, 0, write_on },     { "at once", 7, 0, write_at_once },
    { "median", 6, 0, write_median },    { "interval", 8, 1, write_interval },
    { "CPU", 4, 2, write_cpu },          { "memory", 6, 3, write_memory },
    { "speed-up", 8, 0, write_speedup },
};
enum { COLUMNS = sizeof columns / sizeof *columns, CELL = 40, BAR_LEAST = 6, BAR_MOST = 30 };

/* As wide as its widest cell. */
static int width_of(const struct table *table, const struct column *column)
{
    char cell[CELL];
    int width = column->width < 0 ? -column->width : column->width;

    for (size_t i = 0; i < table->count; i++) {
        column->write(table, &table->rows[i], cell, sizeof cell);
        if ((int)strlen(cell) > width) width = (int)strlen(cell);
    }
    return width;
}

/* Widths of the columns that fit, 0 for the others; returns what is left for bars. */
static unsigned lay_out(const struct table *table, unsigned room, int widths[COLUMNS])
{
    int used = 1; /* the mark */

    for (int c = 0; c < COLUMNS; c++) {
        widths[c] = width_of(table, &columns[c]);
        used += 2 + widths[c];
    }
    for (int rank = 3; rank > 0 && used > (int)room; rank--) {
        for (int c = 0; c < COLUMNS; c++) {
            if (columns[c].rank != rank) continue;
            used -= 2 + widths[c];
            widths[c] = 0;
        }
    }
    int bar = (int)room - used - 2;
    return bar < BAR_LEAST ? 0 : bar > BAR_MOST ? BAR_MOST : (unsigned)bar;
}

static void print_cell(FILE *stream, const struct column *column, int width, const char *cell)
{
    if (width) fprintf(stream, "  %*s", column->width < 0 ? -width : width, cell);
}

static void print_row(FILE *stream, const struct table *table, size_t i, const int widths[COLUMNS],
                      unsigned bar)
{
    const il_row *row = &table->rows[i];
    bool chosen = i == table->chosen, colour = chosen && term_has_colour(STDOUT_FILENO);
    char cell[CELL], cells[TERM_BAR(BAR_MOST)];

    if (colour) fputs("\033[1;32m", stream);
    for (int c = 0; c < COLUMNS; c++) {
        columns[c].write(table, row, cell, sizeof cell);
        if (c == 0) fputc(chosen ? '*' : ' ', stream);
        print_cell(stream, &columns[c], widths[c], cell);
    }
    if (bar) {
        term_bar(cells, bar, row->speedup / table->fastest, 0);
        fprintf(stream, "  %s", cells);
    }
    fputs(colour ? "\033[0m\n" : "\n", stream);
}

static struct unit find_unit(double seconds)
{
    if (seconds < 1e-3) return (struct unit){ "us", 1e6 };
    if (seconds < 1) return (struct unit){ "ms", 1e3 };
    return (struct unit){ "s", 1 };
}

void table_print(FILE *stream, const il_row *rows, size_t count, size_t chosen)
{
    struct table table = { .rows = rows, .count = count, .chosen = chosen };
    int widths[COLUMNS];
    double slowest = 0, quickest = rows[0].median;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].high > slowest) slowest = rows[i].high;
        if (rows[i].median < quickest) quickest = rows[i].median;
        if (rows[i].speedup > table.fastest) table.fastest = rows[i].speedup;
    }
    table.unit = find_unit(slowest);
    slowest *= table.unit.scale;
    quickest *= table.unit.scale;
    table.digits = slowest < 10 || quickest < 1 ? 2 : slowest < 100 || quickest < 10 ? 1 : 0;

    unsigned bar = lay_out(&table, term_width(STDOUT_FILENO) - 1, widths);
    fputc(' ', stream);
    for (int c = 0; c < COLUMNS; c++) print_cell(stream, &columns[c], widths[c], columns[c].name);
    fputc('\n', stream);
    for (size_t i = 0; i < count; i++) print_row(stream, &table, i, widths, bar);
    fprintf(stream, "\nTimes in %s, memory in MiB.\n", table.unit.name);
}

void table_wrap(FILE *stream, const char *text, unsigned width)
{
    while (strlen(text) > width) {
        size_t cut = width;
        while (cut && text[cut] != ' ') cut--;
        if (!cut) cut = strcspn(text, " ");
        fprintf(stream, "%.*s\n", (int)cut, text);
        text += cut;
        text += strspn(text, " ");
    }
    fprintf(stream, "%s\n", text);
}
