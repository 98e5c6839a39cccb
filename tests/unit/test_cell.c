/* SPDX-License-Identifier: MIT */
/* Claims about IL_CELL and IL_RWCELL. */

#include "check.h"

#include <interlock/cell.h>
#include <interlock/latch.h>

enum { ROUNDS = 5000, MEMBERS = 4 };

typedef struct pair {
    long a, b; /* equal whenever nobody is inside, and plain */
} pair;

typedef IL_CELL(pair) pair_cell;
typedef IL_RWCELL(pair) pair_rwcell;

static void zero_is_ready_to_use(void **state)
{
    (void)state;
    static pair_cell cell;
    static pair_rwcell rwcell;
    int rounds = 0;
    il_cell_with(&cell, p) rounds += p->a == 0 && p->b == 0;
    il_cell_with(&rwcell, p) rounds += p->a == 0 && p->b == 0;
    il_cell_read(&cell, p) rounds += p->a == 0;
    il_cell_read(&rwcell, p) rounds += p->a == 0;
    assert_int_equal(rounds, 4);
}

static void initial_value_is_what_was_given(void **state)
{
    (void)state;
    static IL_CELL(pair) cell = IL_CELL_INIT({ 3, 4 });
    static IL_RWCELL(const char *) word = IL_CELL_INIT("first");
    const char *seen = NULL;
    pair p = { 0, 0 };
    il_cell_read(&cell, inside) p = *inside;
    il_cell_read(&word, inside) seen = *inside;
    assert_int_equal(p.a, 3);
    assert_int_equal(p.b, 4);
    assert_string_equal(seen, "first");
}

static void value_may_be_an_array(void **state)
{
    (void)state;
    static IL_CELL(int[4]) cell;
    int seen = 0;
    il_cell_with(&cell, numbers) (*numbers)[2] = 7;
    il_cell_read(&cell, numbers) seen = (*numbers)[2];
    assert_int_equal(seen, 7);
}

static void block_runs_once_with_the_cell_locked_and_named_once(void **state)
{
    (void)state;
    pair_cell cells[2] = { 0 }, *next = cells;
    int rounds = 0, held = 0;
    il_cell_with(next++, p) {
        p->a = 5;
        rounds++;
        held += il_mutex_held(&cells[0].il__lock);
    }
    assert_int_equal(rounds, 1);
    assert_int_equal(held, 1);
    assert_ptr_equal(next, cells + 1);
    assert_int_equal(cells[0].il__value.a, 5);
    assert_false(il_mutex_held(&cells[0].il__lock));
}

/* --- Ways out ---------------------------------------------------------------------------------- */

static long leave_by_return(pair_cell *cell)
{
    il_cell_with(cell, p) return p->a;
    return -1;
}

static long leave_by_goto(pair_cell *cell)
{
    long seen = -1;
    il_cell_with(cell, p) {
        seen = p->a;
        goto out;
    }
    seen = -2;
out:
    return seen;
}

/* Both cells, the inner one first. */
static long leave_two_by_return(pair_cell *cell, pair_rwcell *rwcell)
{
    il_cell_with(cell, p)
        il_cell_read(rwcell, q) return p->a + q->a;
    return -1;
}

static void every_way_out_gives_the_lock_back(void **state)
{
    (void)state;
    pair_cell cell = IL_CELL_INIT({ 3, 3 });
    pair_rwcell rwcell = IL_CELL_INIT({ 4, 4 });
    int after_break = 0, turns = 0;

    assert_int_equal(leave_by_return(&cell), 3);
    assert_int_equal(cell.il__lock.gate.word, 0);
    assert_int_equal(leave_by_goto(&cell), 3);
    assert_int_equal(cell.il__lock.gate.word, 0);
    assert_int_equal(leave_two_by_return(&cell, &rwcell), 7);
    assert_int_equal(cell.il__lock.gate.word, 0);
    assert_int_equal(rwcell.il__lock.gate.word, 0);

    for (int i = 0; i < 3; i++) { /* the block is left, the loop is not */
        il_cell_with(&cell, p) {
            turns++;
            if (p->a == 3) break;
            after_break++;
        }
        il_cell_read(&rwcell, p) {
            turns++;
            if (p->a == 4) continue;
            after_break++;
        }
    }
    assert_int_equal(turns, 6);
    assert_int_equal(after_break, 0);
    assert_int_equal(cell.il__lock.gate.word, 0);
    assert_int_equal(rwcell.il__lock.gate.word, 0);
}

/* --- Deadlines ----------------------------------------------------------------------------------- */

static int enter(void *cell, il_time until)
{
    int status = 1, ran = 0;
    il_cell_with_until((pair_cell *)cell, p, until, &status) ran++;
    return ran == !status ? status : 1;
}

static int enter_rw(void *cell, il_time until)
{
    int status = 1, ran = 0;
    il_cell_with_until((pair_rwcell *)cell, p, until, &status) ran++;
    return ran == !status ? status : 1;
}

static int enter_to_read(void *cell, il_time until)
{
    int status = 1, ran = 0;
    il_cell_read_until((pair_rwcell *)cell, p, until, &status) ran++;
    return ran == !status ? status : 1;
}

static void free_cell_is_entered_before_any_deadline(void **state)
{
    (void)state;
    pair_cell cell = { 0 };
    pair_rwcell rwcell = { 0 };
    assert_int_equal(enter(&cell, IL_NOW), 0);
    assert_int_equal(enter(&cell, PAST), 0);
    assert_int_equal(enter_rw(&rwcell, IL_NOW), 0);
    assert_int_equal(enter_to_read(&rwcell, IL_NOW), 0);
    assert_int_equal(cell.il__lock.gate.word, 0);
    assert_int_equal(rwcell.il__lock.gate.word, 0);
}

static void busy_cell_is_waited_for_until_the_deadline_or_a_cancel(void **state)
{
    pair_cell cell = { 0 };
    pair_rwcell rwcell = { 0 };
    il_cell_with(&cell, p) assert_gives_up(state, enter, &cell);
    il_cell_with(&rwcell, p) assert_gives_up(state, enter_rw, &rwcell);
    il_cell_with(&rwcell, p) assert_gives_up(state, enter_to_read, &rwcell);
    il_cell_read(&rwcell, p) assert_gives_up(state, enter_rw, &rwcell);
    assert_int_equal(cell.il__lock.gate.word, 0);
    assert_int_equal(rwcell.il__lock.gate.word, 0);
}

static void block_in_a_block_of_the_same_cell_returns_edeadlk(void **state)
{
    (void)state;
    pair_cell cell = { 0 };
    pair_rwcell rwcell = { 0 };
    int status = 0, rwstatus = 0;
    il_cell_with(&cell, p) status = enter(&cell, IL_FOREVER);
    il_cell_with(&rwcell, p) rwstatus = enter_rw(&rwcell, IL_FOREVER);
    assert_int_equal(status, -EDEADLK);
    assert_int_equal(rwstatus, -EDEADLK);
}

static void enter_twice(void)
{
    static pair_cell cell;
    il_cell_with(&cell, p)
        il_cell_read(&cell, q) p->a = q->a;
}

static void block_in_a_block_of_the_same_cell_is_fatal(void **state)
{
    (void)state;
    assert_fatal(enter_twice, "which holds it already");
}

/* --- Together ------------------------------------------------------------------------------------ */

struct shared {
    pair_cell cell;
    pair_rwcell rwcell;
    il_cond more;
    il_latch reading;
};

static int change_both(void *in, void *out)
{
    (void)out;
    struct shared *shared = in;
    int wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        il_cell_with(&shared->cell, p) {
            p->a++;
            if (i % 64 == 0) il_yield();
            p->b++;
        }
        if (i % 4 == 0)
            il_cell_with(&shared->rwcell, p) p->a++, p->b++;
        else
            il_cell_read(&shared->rwcell, p) wrong += p->a != p->b;
    }
    return wrong;
}

static void nobody_sees_a_value_half_changed(void **state)
{
    struct shared shared = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, change_both, &shared);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(shared.cell.il__value.a, MEMBERS * ROUNDS);
    assert_int_equal(shared.cell.il__value.b, MEMBERS * ROUNDS);
    assert_int_equal(shared.rwcell.il__value.a, MEMBERS * ROUNDS / 4);
}

static int read_until_all_do(void *in, void *out)
{
    (void)out;
    struct shared *shared = in;
    int status = 1;
    il_cell_read(&shared->rwcell, p) {
        il_latch_count_down(&shared->reading, 1);
        status = il_latch_wait_until(&shared->reading, LATE);
    }
    return status;
}

static void readers_are_inside_together(void **state)
{
    struct shared shared = { .reading.count = MEMBERS };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, read_until_all_do, &shared);
    assert_int_equal(crew_join(&crew), 0);
}

/* a: put in so far; b: taken out. */
static int take_out(void *in, void *out)
{
    (void)out;
    struct shared *shared = in;
    int status = 0;
    il_cell_with(&shared->cell, p) {
        while (p->b == p->a && !status) status = il_cell_wait(&shared->cell, &shared->more, LATE);
        if (!status) p->b++;
    }
    return status;
}

static void wait_in_a_block_lets_others_in(void **state)
{
    struct shared shared = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, take_out, &shared);
    until_waiting(&shared.more.gate, MEMBERS);
    il_cell_with(&shared.cell, p) p->a = MEMBERS;
    il_cond_notify_all(&shared.more);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(shared.cell.il__value.b, MEMBERS);
    assert_int_equal(shared.cell.il__lock.gate.word, 0);
}

static void wait_outside_a_block_returns_eperm(void **state)
{
    (void)state;
    pair_cell cell = { 0 };
    il_cond more = { 0 };
    assert_int_equal(il_cell_wait(&cell, &more, IL_FOREVER), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_ready_to_use),
        cmocka_unit_test(initial_value_is_what_was_given),
        cmocka_unit_test(value_may_be_an_array),
        cmocka_unit_test(block_runs_once_with_the_cell_locked_and_named_once),
        cmocka_unit_test(every_way_out_gives_the_lock_back),
        cmocka_unit_test(free_cell_is_entered_before_any_deadline),
        EACH_CREW(busy_cell_is_waited_for_until_the_deadline_or_a_cancel),
        cmocka_unit_test(block_in_a_block_of_the_same_cell_returns_edeadlk),
        cmocka_unit_test(block_in_a_block_of_the_same_cell_is_fatal),
        EACH_CREW(nobody_sees_a_value_half_changed),
        EACH_CREW(readers_are_inside_together),
        EACH_CREW(wait_in_a_block_lets_others_in),
        cmocka_unit_test(wait_outside_a_block_returns_eperm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
