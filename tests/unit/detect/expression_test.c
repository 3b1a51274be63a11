/*
 * expression_test - which expressions can take exponentially many steps.
 *
 * Threads  the first
 */
#include "detect/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const ambiguous[] = {
    "(a+)+",        "/(a*)*b",     "(a|a)+",           "(\\w|\\d)*",      "([a-zA-Z]+)*",
    "(([a-z])+.)+", "([a-z]+a)+",  "(x+x+)+y",         "(\\w+ ?){2,}",    "/(?:x|[a-z]*)*",
    "(.*,)+",       "(.*,){1,11}", "([0-9]+a[0-9]+)+", "([a-z]+[0-9]*)+", "(?<name>a+)+",
    "((a+)b?)+",    "(a+)+\\)",    "/x(?=y)(a+)+",     "([\\w-]+-)+",     "([^/]+/?)+",
    "(/[a-z/]+)+",  "((?:a|b)+)+", "(a+|[0-9]+b)+",
};

static const char *const plain[] = {
    "",
    "/.*",
    "/a+b*c?",
    "/(v[0-9]+)(/[^/]+)+",
    "/(a+)?b[(*+)]+",
    "/(a++)+",
    "/(a+)++",
    "/(?>a+)+",
    "(/[^/]+)+",
    "([a-z]+[0-9]+)+",
    "([a-z]+,)*",
    "(api/[a-z]+/)+",
    "((?:jpg|png)/[a-z]+/)+",
    "((/[a-z]+)(/[0-9]+))+",
    "(\\d{1,3}\\.){3}",
    "([a-z]{1,63}\\.){1,10}",
    "(a|b)+",
    "(ab|cd)*",
    "/(\\w+)\\.(?:html|css)",
    "([a-z]+abc[0-9])+",
    "(?i:a+b)+",
    "\\(a+\\)+",
    "[a+]+[b+]*",
    "(a{3})+",
    "/(?#a comment)x+",
};

static void what_can_be_cut_in_many_ways_is_ambiguous(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ambiguous) / sizeof(ambiguous[0]); i++)
        if (!expression_is_ambiguous(ambiguous[i]))
            fail_msg("%s is", ambiguous[i]);
}

static void what_can_be_cut_in_one_way_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (expression_is_ambiguous(plain[i]))
            fail_msg("%s is not", plain[i]);
}

/* What does not compile is refused elsewhere; here it must end. */
static void whatever_it_is_it_ends(void **state)
{
    static const char *const odd[] = {"(",  ")",   "[",    "[^",  "\\",  "(?",  "(?<",   "(?P<",
                                      "a{", "a{9", "a{9,", "[[:", "[a-", "|||", "())(+", "(?'"};

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        (void)expression_is_ambiguous(odd[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_cut_in_many_ways_is_ambiguous),
        cmocka_unit_test(what_can_be_cut_in_one_way_is_not),
        cmocka_unit_test(whatever_it_is_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
