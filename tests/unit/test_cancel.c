/* SPDX-License-Identifier: MIT */
/* Claims about the cancellation tree. */

#include "check.h"

#include "wait/cancel.h"

/* A node below `parent`, in the tree, without an owner who waits. */
static void enter(il__cancel *node, il__cancel *parent)
{
    il__cancel_init(node, parent, 0);
    il__cancel_enter(node, il__self());
}

static void status_is_zero_until_it_is_fired(void **state)
{
    (void)state;
    il__cancel node;
    il__cancel_init(&node, NULL, 0);
    assert_int_equal(il__cancel_status(&node), 0);
    il__cancel_fire(&node, -ETIMEDOUT);
    assert_int_equal(il__cancel_status(&node), -ETIMEDOUT);
}

static void only_the_first_time_counts(void **state)
{
    (void)state;
    il__cancel node;
    il__cancel_init(&node, NULL, 0);
    il__cancel_fire(&node, -EPIPE);
    il__cancel_fire(&node, -ECANCELED);
    assert_int_equal(il__cancel_status(&node), -EPIPE);
}

static void all_below_are_cancelled_and_none_above_or_beside(void **state)
{
    (void)state;
    enum { TOP, LEFT, RIGHT, LEFT_1, LEFT_2, LEFT_2_1, COUNT };
    static const int parent[] = { -1, TOP, TOP, LEFT, LEFT, LEFT_2 };
    il__cancel nodes[COUNT];
    for (int i = 0; i < COUNT; i++) enter(&nodes[i], i ? &nodes[parent[i]] : NULL);

    il__cancel_fire(&nodes[LEFT], -ETIMEDOUT);
    assert_int_equal(il__cancel_status(&nodes[TOP]), 0);
    assert_int_equal(il__cancel_status(&nodes[RIGHT]), 0);
    assert_int_equal(il__cancel_status(&nodes[LEFT]), -ETIMEDOUT);
    assert_int_equal(il__cancel_status(&nodes[LEFT_1]), -ECANCELED);
    assert_int_equal(il__cancel_status(&nodes[LEFT_2]), -ECANCELED);
    assert_int_equal(il__cancel_status(&nodes[LEFT_2_1]), -ECANCELED);

    il__cancel_fire(&nodes[TOP], -ECANCELED); /* the rest; what has a status keeps it */
    assert_int_equal(il__cancel_status(&nodes[RIGHT]), -ECANCELED);
    assert_int_equal(il__cancel_status(&nodes[LEFT]), -ETIMEDOUT);
    for (int i = COUNT; i--;) il__cancel_leave(&nodes[i]);
}

static void who_enters_later_takes_it_over(void **state)
{
    (void)state;
    il__cancel top, before, after;
    enter(&top, NULL);
    il__cancel_init(&before, &top, 0);
    il__cancel_fire(&top, -ECANCELED);
    assert_int_equal(il__cancel_status(&before), -ECANCELED); /* also without being in the tree */
    enter(&before, &top);
    enter(&after, &top);
    assert_int_equal(il__load(&before.status), -ECANCELED);
    assert_int_equal(il__load(&after.status), -ECANCELED);
    il__cancel_leave(&before);
    il__cancel_leave(&after);
    assert_null(il__list_first(&top.children));
}

static void who_has_left_is_not_cancelled(void **state)
{
    (void)state;
    il__cancel top, node;
    enter(&top, NULL);
    enter(&node, &top);
    il__cancel_enter(&node, il__self()); /* twice is once */
    il__cancel_leave(&node);
    il__cancel_leave(&node);
    il__cancel_fire(&top, -ECANCELED);
    assert_int_equal(il__load(&node.status), 0);
}

/* The node may outlive the agent that owned it, as that of a future does. */
static void a_node_that_was_left_wakes_nobody(void **state)
{
    (void)state;
    il__cancel node;
    il__agent agent;
    il__agent_init(&agent, il__self()->ops);
    il__cancel_init(&node, NULL, 0);
    agent.cancel = &node;
    il__wait_begin(&agent, "test", NULL, IL__CANCELS);
    il__cancel_leave(&node);
    il__cancel_fire(&node, -ECANCELED);
    assert_int_equal(agent.word & IL__PHASE, IL__WAITING);
}

struct seen {
    il__cancel *node;
    int status;
};

static void look_at_status(void *arg)
{
    struct seen *seen = arg;
    seen->status = il__load(&seen->node->status);
}

/* The owner of two nodes, as of a scope inside a scope: woken too early, it would close the inner one
 * and not know that it was cancelled. */
static void a_wait_ends_when_its_own_node_has_its_status(void **state)
{
    (void)state;
    il__cancel outer, inner;
    il__agent agent;
    struct seen seen = { .node = &inner };
    il__agent_init(&agent, il__self()->ops);
    il__cancel_init(&outer, NULL, 0);
    il__cancel_enter(&outer, &agent);
    il__cancel_init(&inner, &outer, 0);
    agent.cancel = &inner;
    il__wait_begin(&agent, "test", NULL, IL__CANCELS);

    step_in(IL__PROBE_WAKE, &agent, look_at_status, &seen);
    il__cancel_fire(&outer, -ECANCELED);
    il__store(&il__probe_listener, NULL);
    assert_int_equal(agent.word & IL__PHASE, IL__WOKEN);
    assert_int_equal(seen.status, -ECANCELED);
    il__cancel_leave(&inner);
    il__cancel_leave(&outer);
}

static void deadline_is_never_later_than_that_of_the_parent(void **state)
{
    (void)state;
    il__cancel top, none, later, sooner;
    il__cancel_init(&top, NULL, 1000);
    il__cancel_init(&none, &top, 0);
    il__cancel_init(&later, &top, 2000);
    il__cancel_init(&sooner, &top, 500);
    assert_int_equal(none.deadline, 1000);
    assert_int_equal(later.deadline, 1000);
    assert_int_equal(sooner.deadline, 500);
    il__cancel_init(&top, NULL, 0);
    assert_int_equal(top.deadline, IL_FOREVER);
}

static void passed_deadline_cancels_the_highest_node_that_has_it(void **state)
{
    (void)state;
    il__cancel top, middle, low;
    enter(&top, NULL);
    il__cancel_init(&middle, &top, PAST);
    il__cancel_enter(&middle, il__self());
    enter(&low, &middle); /* the deadline is the middle's */
    assert_int_equal(il__cancel_status(&low), -ECANCELED);
    assert_int_equal(il__cancel_status(&middle), -ETIMEDOUT);
    assert_int_equal(il__cancel_status(&top), 0);
    il__cancel_leave(&low);
    il__cancel_leave(&middle);
}

static void deadline_to_come_cancels_nothing(void **state)
{
    (void)state;
    il__cancel node;
    il__cancel_init(&node, NULL, LATE);
    assert_int_equal(il__cancel_status(&node), 0);
}

static void deep_tree_costs_no_stack(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    il__cancel *nodes = calloc(DEPTH, sizeof *nodes);
    assert_non_null(nodes);
    for (int i = 0; i < DEPTH; i++) enter(&nodes[i], i ? &nodes[i - 1] : NULL);
    il__cancel_fire(&nodes[0], -ECANCELED);
    assert_int_equal(il__load(&nodes[DEPTH - 1].status), -ECANCELED);
    for (int i = DEPTH; i--;) il__cancel_leave(&nodes[i]);
    free(nodes);
}

static void fire(void *node)
{
    il__cancel_fire(node, -ECANCELED);
}

static void cancel_just_before_parking_is_not_missed(void **state)
{
    (void)state;
    struct cancelled_wait wait;
    cancellable_begin(&wait, 0);
    step_in(IL__PROBE_WAIT, NULL, fire, &wait.node);
    int status = il_sleep(LATE);
    cancellable_end(&wait);
    assert_int_equal(status, -ECANCELED);
}

/* Many come, wait below one node, and leave, while it and some of them are cancelled. */
enum { MEMBERS = 6, ROUNDS = 300 };

struct storm {
    il__cancel top;
    int strange; /* atomic */
};

static int wait_below(void *in, void *out)
{
    (void)out;
    struct storm *storm = in;
    il__cancel *before = il__self()->cancel;
    for (int i = 0; i < ROUNDS; i++) {
        il__cancel outer, inner;
        il__cancel_init(&outer, &storm->top, 0);
        il__cancel_enter(&outer, il__self());
        il__cancel_init(&inner, &outer, i % 3 ? 0 : il_after(IL_US(5)));
        il__self()->cancel = &inner;
        int status = il_sleep(il_after(IL_US(i % 20)));
        if (status && status != -ECANCELED) il__add(&storm->strange, 1);
        if (status && !il__load(&storm->top.status) && i % 3) il__add(&storm->strange, 1);
        il__cancel_leave(&inner);
        il__cancel_leave(&outer);
        il__self()->cancel = before;
    }
    return 0;
}

static void nodes_come_and_go_while_it_is_fired(void **state)
{
    for (int round = 0; round < 5; round++) {
        struct storm storm = { .strange = 0 };
        struct crew crew;
        il__cancel_init(&storm.top, NULL, 0);
        crew_open(&crew, state);
        for (int i = 0; i < MEMBERS; i++) crew_add(&crew, wait_below, &storm);
        for (int i = 0; i < 20; i++) il_yield();
        il__cancel_fire(&storm.top, -ECANCELED);
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(storm.strange, 0);
        assert_null(il__list_first(&storm.top.children));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_is_zero_until_it_is_fired),
        cmocka_unit_test(only_the_first_time_counts),
        cmocka_unit_test(all_below_are_cancelled_and_none_above_or_beside),
        cmocka_unit_test(who_enters_later_takes_it_over),
        cmocka_unit_test(who_has_left_is_not_cancelled),
        cmocka_unit_test(a_node_that_was_left_wakes_nobody),
        cmocka_unit_test(a_wait_ends_when_its_own_node_has_its_status),
        cmocka_unit_test(deadline_is_never_later_than_that_of_the_parent),
        cmocka_unit_test(passed_deadline_cancels_the_highest_node_that_has_it),
        cmocka_unit_test(deadline_to_come_cancels_nothing),
        cmocka_unit_test(deep_tree_costs_no_stack),
        cmocka_unit_test(cancel_just_before_parking_is_not_missed),
        EACH_CREW(nodes_come_and_go_while_it_is_fired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
