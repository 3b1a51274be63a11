/*
 * The handshake that stands for a WebSocket's extended CONNECT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/http/websocket.h"

#define KEY    SLICE("dGhlIHNhbXBsZSBub25jZQ==")
#define ACCEPT SLICE("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") /* RFC 6455 §1.3 */

static void a_key_is_sixteen_bytes_in_base64(void **state)
{
    uint64_t random[2];
    char key[WEBSOCKET_KEY + 1];

    (void)state;
    memcpy(random, "the sample nonce", sizeof(random));
    websocket_make_key(random, key);
    assert_string_equal(key, "dGhlIHNhbXBsZSBub25jZQ==");
}

static void an_answer_is_held_against_its_key(void **state)
{
    (void)state;
    assert_true(websocket_is_accepted(KEY, ACCEPT));
    assert_false(websocket_is_accepted(KEY, SLICE("s3pPLMBiTxaQ9kYGzzhZRbK+xOO=")));
    assert_false(websocket_is_accepted(KEY, SLICE("s3pPLMBiTxaQ9kYGzzhZRbK+xOo")));
    assert_false(websocket_is_accepted(KEY, SLICE("")));
    assert_false(websocket_is_accepted(SLICE("eGhlIHNhbXBsZSBub25jZQ=="), ACCEPT));
    assert_false(websocket_is_accepted(SLICE("short"), ACCEPT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_sixteen_bytes_in_base64),
        cmocka_unit_test(an_answer_is_held_against_its_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
