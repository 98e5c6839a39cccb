/* SPDX-License-Identifier: MIT */
/*
 * A value and its lock. The deque below is ordinary code that knows nothing of tasks; in a cell it can
 * be reached only while the cell is locked. Four tasks share one: two clerks put orders in at the
 * back, urgent ones in front, and two cooks take them out at the front.
 */
#include <interlock.h>
#include <stdio.h>
#include <string.h>

/* --- A deque, as anybody would write it: a ring of numbers ------------------------------------- */

enum { ROOM = 64 };

typedef struct deque {
    int items[ROOM], first, count;
} deque;

static int *at(deque *d, int index) /* negative: from the back */
{
    return &d->items[(d->first + (index < 0 ? d->count + index : index)) % ROOM];
}

static void append(deque *d, int item)
{
    *at(d, d->count++) = item;
}

static void append_left(deque *d, int item)
{
    d->first = (d->first + ROOM - 1) % ROOM;
    d->count++;
    *at(d, 0) = item;
}

static int pop(deque *d)
{
    int item = *at(d, -1);
    d->count--;
    return item;
}

static int pop_left(deque *d)
{
    int item = *at(d, 0);
    d->first = (d->first + 1) % ROOM;
    d->count--;
    return item;
}

static void rotate(deque *d, int steps) /* to the right; negative: to the left */
{
    for (; steps > 0; steps--) append_left(d, pop(d));
    for (; steps < 0; steps++) append(d, pop_left(d));
}

static void insert(deque *d, int index, int item)
{
    rotate(d, -index);
    append_left(d, item);
    rotate(d, index);
}

static bool remove_item(deque *d, int item)
{
    for (int i = 0; i < d->count; i++) {
        if (*at(d, i) != item) continue;
        rotate(d, -i);
        pop_left(d);
        rotate(d, i);
        return true;
    }
    return false;
}

static void extend(deque *d, const int *items, int count)
{
    while (count--) append(d, *items++);
}

/* --- The same, shared ------------------------------------------------------------------------- */

typedef IL_CELL(deque) shared_deque;

static void show(shared_deque *cell, const char *words, char line[200])
{
    int length = snprintf(line, 200, "%-20s", words);
    il_cell_with(cell, d)
        for (int i = 0; i < d->count; i++) length += sprintf(line + length, " %d", *at(d, i));
    puts(line);
}

static bool every_operation(void)
{
    shared_deque cell = IL_CELL_INIT({ { 1, 2, 3 }, 0, 3 });
    char line[200];
    bool was_there = false;
    show(&cell, "create", line);
    il_cell_with(&cell, d) append(d, 4), append_left(d, 0);
    show(&cell, "append, both ends", line);
    il_cell_with(&cell, d) extend(d, (int[]){ 5, 6, 7 }, 3);
    show(&cell, "extend", line);
    il_cell_with(&cell, d) rotate(d, 3);
    show(&cell, "rotate by 3", line);
    il_cell_with(&cell, d) insert(d, 2, 99), *at(d, -1) = 44;
    show(&cell, "insert, index", line);
    il_cell_with(&cell, d) was_there = remove_item(d, 99) && !remove_item(d, 99);
    show(&cell, "remove", line);
    il_cell_with(&cell, d) was_there &= pop(d) == 44 && pop_left(d) == 5;
    show(&cell, "pop, both ends", line);
    return was_there && strstr(line, " 6 7 0 1 2 3");
}

enum { ORDERS = 500 };

static shared_deque orders;
static il_cond more, less; /* waited for inside a block of orders */

static int take_orders(void *in, void *out)
{
    int status = 0;
    for (int i = 1; i <= ORDERS && !status; i++)
        il_cell_with(&orders, d) {
            while (d->count == ROOM && !status) status = il_cell_wait(&orders, &less, IL_FOREVER);
            if (status) break; /* leaves the block, and gives the lock back */
            if (i % 10) append(d, i);
            else append_left(d, i); /* urgent */
            il_cond_notify(&more, 1);
        }
    return status;
}

static int cook_one(long *sum)
{
    int status = 0;
    il_cell_with(&orders, d) {
        while (!d->count && !status) status = il_cell_wait(&orders, &more, IL_FOREVER);
        if (status) return status; /* so does this */
        *sum += pop_left(d);
        il_cond_notify(&less, 1);
    }
    return 0;
}

static int cook(void *in, void *out)
{
    int status = 0;
    for (int i = 0; i < ORDERS && !status; i++) status = cook_one(out);
    return status;
}

int main(void)
{
    bool good = every_operation();
    long sums[2] = { 0 }, right = (long)ORDERS * (ORDERS + 1);
    il_executor *pool = NULL;
    il_scope *scope = NULL;
    int status = il_threads_new(NULL, &pool);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    for (int i = 0; !status && i < 2; i++) {
        status = il_go(scope, take_orders, NULL, NULL);
        if (!status) status = il_go(scope, cook, NULL, &sums[i]);
    }
    int closed = il_scope_close(scope);
    il_executor_free(pool);
    if (!status) status = closed;

    int left = 0;
    il_cell_read(&orders, d) left = d->count;
    printf("%s: two cooks made orders of %ld and %ld, together %ld, right is %ld; left: %d\n",
           il_strerror(status), sums[0], sums[1], sums[0] + sums[1], right, left);
    return !(good && status == 0 && sums[0] + sums[1] == right && left == 0);
}
