/*
 * Tables for people: columns line up, numbers to the right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/texttable.h"
#include "base/arena.h"
#include "base/buffer.h"

static const char *const headings[] = {"server", "req/s", "why", NULL};

static void columns_line_up_and_numbers_stand_to_the_right(void **state)
{
    struct arena *arena = arena_new(1024);
    struct texttable table;
    struct buffer out;

    (void)state;
    buffer_init(&out);
    texttable_init(&table, arena, headings);
    texttable_cell(&table, "s1");
    texttable_cell(&table, "%.1f", 9.5);
    texttable_cell(&table, "healthy");
    texttable_cell(&table, "a-long-name");
    texttable_cell(&table, "%.1f", 1200.0);
    texttable_cell(&table, "down");
    texttable_write(&table, &out, 2);
    assert_string_equal(buffer_text(&out), "  server        req/s  why\n"
                                           "  s1              9.5  healthy\n"
                                           "  a-long-name  1200.0  down\n");
    buffer_fini(&out);
    arena_free(&arena);
}

static void a_column_with_one_word_in_it_stands_to_the_left(void **state)
{
    struct arena *arena = arena_new(1024);
    struct texttable table;
    struct buffer out;

    (void)state;
    buffer_init(&out);
    texttable_init(&table, arena, headings);
    texttable_cell(&table, "s1");
    texttable_cell(&table, "7 (now 3)");
    texttable_cell(&table, "x");
    texttable_cell(&table, "s2");
    texttable_cell(&table, "12");
    texttable_cell(&table, "y");
    texttable_write(&table, &out, 0);
    assert_string_equal(buffer_text(&out), "server  req/s      why\n"
                                           "s1      7 (now 3)  x\n"
                                           "s2      12         y\n");
    buffer_fini(&out);
    arena_free(&arena);
}

static void a_table_without_rows_is_its_heading(void **state)
{
    struct arena *arena = arena_new(1024);
    struct texttable table;
    struct buffer out;

    (void)state;
    buffer_init(&out);
    texttable_init(&table, arena, headings);
    texttable_write(&table, &out, 0);
    assert_string_equal(buffer_text(&out), "server  req/s  why\n");
    buffer_fini(&out);
    arena_free(&arena);
}

static void letters_of_two_bytes_take_one_column(void **state)
{
    struct arena *arena = arena_new(1024);
    struct texttable table;
    struct buffer out;

    (void)state;
    buffer_init(&out);
    texttable_init(&table, arena, (const char *const[]){"a", "b", NULL});
    texttable_cell(&table, "\u00e4\u00f6");
    texttable_cell(&table, "x");
    texttable_cell(&table, "abc");
    texttable_cell(&table, "y");
    texttable_write(&table, &out, 0);
    assert_string_equal(buffer_text(&out), "a    b\n\u00e4\u00f6   x\nabc  y\n");
    buffer_fini(&out);
    arena_free(&arena);
}

static void a_table_may_have_thousands_of_rows(void **state)
{
    struct arena *arena = arena_new(1024);
    struct texttable table;
    struct buffer out;

    (void)state;
    buffer_init(&out);
    texttable_init(&table, arena, headings);
    for (int i = 0; i < 5000 * 3; i++)
        texttable_cell(&table, "%d", i);
    texttable_write(&table, &out, 0);
    assert_non_null(strstr(buffer_text(&out), " 14999\n"));
    buffer_fini(&out);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_line_up_and_numbers_stand_to_the_right),
        cmocka_unit_test(a_column_with_one_word_in_it_stands_to_the_left),
        cmocka_unit_test(a_table_without_rows_is_its_heading),
        cmocka_unit_test(letters_of_two_bytes_take_one_column),
        cmocka_unit_test(a_table_may_have_thousands_of_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
