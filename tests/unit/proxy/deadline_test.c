/* deadline: timeouts of many lengths under one timer, on a loop of their own. */
#include "proxy/deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct waiter {
    struct deadline deadline;
    struct fixture *fixture;
    int number;
};

struct fixture {
    uv_loop_t loop;
    struct deadlines deadlines;
    int fired[2048];
    int count;
    int after;
    struct deadline *also_clear;
    struct waiter *sets_again;
};

static void after(void *context)
{
    ((struct fixture *)context)->after++;
}

static void on_due(struct deadline *deadline)
{
    struct waiter *waiter = (struct waiter *)deadline;
    struct fixture *f = waiter->fixture;

    f->fired[f->count++] = waiter->number;
    if (f->also_clear != NULL)
        deadline_clear(f->also_clear);
    if (f->sets_again == waiter) {
        f->sets_again = NULL;
        deadline_set(&f->deadlines, deadline, 1);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_int_equal(uv_loop_init(&f->loop), 0);
    deadlines_open(&f->deadlines, &f->loop, after, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    deadlines_close(&f->deadlines);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static void prepare(struct fixture *f, struct waiter *waiters, int count)
{
    for (int i = 0; i < count; i++) {
        deadline_init(&waiters[i].deadline, on_due);
        waiters[i].fixture = f;
        waiters[i].number = i;
    }
}

static void they_fire_in_the_order_they_fall_due(void **state)
{
    struct fixture *f = *state;
    struct waiter w[4];

    prepare(f, w, 4);
    deadline_set(&f->deadlines, &w[0].deadline, 40);
    deadline_set(&f->deadlines, &w[1].deadline, 5);
    deadline_set(&f->deadlines, &w[2].deadline, 20);
    deadline_set(&f->deadlines, &w[3].deadline, 5);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->count, 4);
    assert_int_equal(f->after, 4);
    assert_int_equal(f->fired[0], 1);
    assert_int_equal(f->fired[1], 3);
    assert_int_equal(f->fired[2], 2);
    assert_int_equal(f->fired[3], 0);
}

static void a_cleared_one_does_not_fire(void **state)
{
    struct fixture *f = *state;
    struct waiter w[2];

    prepare(f, w, 2);
    deadline_set(&f->deadlines, &w[0].deadline, 5);
    deadline_set(&f->deadlines, &w[1].deadline, 10);
    assert_true(deadline_is_set(&w[0].deadline));
    deadline_clear(&w[0].deadline);
    deadline_clear(&w[0].deadline);
    assert_false(deadline_is_set(&w[0].deadline));
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->fired[0], 1);
}

static void setting_again_moves_it(void **state)
{
    struct fixture *f = *state;
    struct waiter w[2];

    prepare(f, w, 2);
    deadline_set(&f->deadlines, &w[0].deadline, 5);
    deadline_set(&f->deadlines, &w[1].deadline, 15);
    deadline_set(&f->deadlines, &w[0].deadline, 30);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->fired[0], 1);
    assert_int_equal(f->fired[1], 0);
}

static void one_that_fires_may_clear_its_neighbour_and_be_set_again(void **state)
{
    struct fixture *f = *state;
    struct waiter w[3];

    prepare(f, w, 3);
    for (int i = 0; i < 3; i++)
        deadline_set(&f->deadlines, &w[i].deadline, 5);
    f->also_clear = &w[1].deadline;
    f->sets_again = &w[0];
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->count, 3);
    assert_int_equal(f->fired[0], 0);
    assert_int_equal(f->fired[1], 2);
    assert_int_equal(f->fired[2], 0);
}

/* More lengths at once than there are classes: none fires early, none is lost. */
static void more_lengths_than_classes_round_up(void **state)
{
    enum { COUNT = 600 };
    struct fixture *f = *state;
    static struct waiter w[COUNT];
    uint64_t begin = uv_now(&f->loop);

    prepare(f, w, COUNT);
    for (int i = 0; i < COUNT; i++) {
        deadline_set(&f->deadlines, &w[i].deadline, (uint64_t)i + 1);
        assert_true(w[i].deadline.due_ms >= begin + (uint64_t)i + 1);
    }
    for (int i = 0; i < COUNT; i++)
        deadline_clear(&w[i].deadline);
    for (int i = COUNT - 1; i >= 0; i--)
        deadline_set(&f->deadlines, &w[i].deadline, (uint64_t)i % 300 + 1);
    for (int i = 0; i < COUNT; i++)
        assert_true(w[i].deadline.due_ms >= begin + (uint64_t)i % 300 + 1);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->count, COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_fire_in_the_order_they_fall_due, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cleared_one_does_not_fire, setup, teardown),
        cmocka_unit_test_setup_teardown(setting_again_moves_it, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_fires_may_clear_its_neighbour_and_be_set_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(more_lengths_than_classes_round_up, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
