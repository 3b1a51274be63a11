/* keyed: finding, equal hashes, removal, growth. */
#include "proxy/upstream/keyed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ITEMS = 1000 };

static void what_was_added_is_found_after_growth(void **state)
{
    struct keyed_table table = {0};
    struct keyed items[ITEMS];

    (void)state;
    for (size_t i = 0; i < ITEMS; i++)
        keyed_add(&table, &items[i], i * 64);
    assert_int_equal(table.count, ITEMS);
    for (size_t i = 0; i < ITEMS; i++)
        assert_ptr_equal(keyed_first(&table, i * 64), &items[i]);
    assert_null(keyed_first(&table, 1));
    keyed_fini(&table);
}

static void items_of_one_hash_are_all_walked(void **state)
{
    struct keyed_table table = {0};
    struct keyed items[3];
    struct keyed other;
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        keyed_add(&table, &items[i], 7);
    keyed_add(&table, &other, 7 + 64);
    for (struct keyed *item = keyed_first(&table, 7); item != NULL; item = keyed_next(item))
        seen++;
    assert_int_equal(seen, 3);
    keyed_remove(&table, &items[1]);
    keyed_remove(&table, &items[0]);
    keyed_remove(&table, &items[2]);
    assert_null(keyed_first(&table, 7));
    assert_ptr_equal(keyed_first(&table, 71), &other);
    keyed_fini(&table);
}

static void taking_apart_gives_each_item_once(void **state)
{
    struct keyed_table table = {0};
    struct keyed items[ITEMS];
    size_t cursor = 0;
    size_t taken = 0;

    (void)state;
    assert_null(keyed_first(&table, 1));
    for (size_t i = 0; i < ITEMS; i++)
        keyed_add(&table, &items[i], i * 3);
    while (keyed_take_any(&table, &cursor) != NULL)
        taken++;
    assert_int_equal(taken, ITEMS);
    assert_int_equal(table.count, 0);
    keyed_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_after_growth),
        cmocka_unit_test(items_of_one_hash_are_all_walked),
        cmocka_unit_test(taking_apart_gives_each_item_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
