/* tapping: which headers never show their value in a sample of the traffic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/http/headers.h"
#include "proxy/tapping.h"

static void test_what_is_never_logged_is_never_told(void **state)
{
    unsigned secrets = 0;

    (void)state;
    for (int header = HEADER_OTHER + 1; header < HEADER_COUNT; header++) {
        if (!(header_flags((enum header)header) & HEADER_SECRET))
            continue;
        secrets++;
        if (!tapping_is_secret(header_slice((enum header)header)))
            fail_msg("%s", header_name((enum header)header));
    }
    assert_true(secrets >= 4);
}

static void test_names_say_what_may_let_somebody_in(void **state)
{
    static const char *const secret[] = {
        "X-API-Key",        "x-auth-user",  "X-Access-Token",  "x-client-secret", "X-Password",
        "PHP-Session",      "x-jwt",        "X-Amz-Signature", "x-credentials",   "apikey",
        "www-authenticate", "x-passwd-old",
    };
    static const char *const plain[] = {"x-beta", "accept-language", "x-region", "host", "", "x"};

    (void)state;
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        if (!tapping_is_secret(slice_from(secret[i])))
            fail_msg("%s", secret[i]);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (tapping_is_secret(slice_from(plain[i])))
            fail_msg("%s", plain[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_never_logged_is_never_told),
        cmocka_unit_test(test_names_say_what_may_let_somebody_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
