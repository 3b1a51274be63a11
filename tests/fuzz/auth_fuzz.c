/*
 * Fuzzes who is let in: whatever Authorization and X-On-Behalf-Of say, a call is answered 200 only
 * for a token that is known, or for a known user of the socket without any; and ann is nobody else.
 *
 * Input: a byte (the user; even: over TCP), lines Authorization and X-On-Behalf-Of.
 */
#include <stdint.h>

#include "base/log.h"
#include "tests/support/admin_fixture.h"

#define SECRET "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TOKEN  "tk_ann_" SECRET

enum { USER = 7 };

static const char configuration[] =
    "{\"people\":{\"ann\":{\"roles\":[\"author\"],\"uids\":[7],\"tokens\":[\"sha256:"
    "a46378ba085aec445e69debc1ba6a37e0f57f82f318691be572e47efce4b8665\"]},"
    "\"bob\":{\"disabled\":true,\"uids\":[9],\"tokens\":[\"sha256:"
    "46e6c3c8a33818935428afdd683c8ce89cb1abefc6b412b644cc3513672d035f\"]}}}";

/* The fixture lives as long as the fuzzer, partly in mapped pages, where the leak check does not
 * look for pointers. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:fixture_open\n";
}

static struct slice next_line(struct slice *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    struct slice line = slice_of(rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len);

    *rest = slice_after(*rest, end != NULL ? line.len + 1 : line.len);
    return line;
}

static bool is_known(struct slice authorization, int64_t uid)
{
    struct slice token;

    if (authorization.len == 0)
        return uid == USER;
    if (authorization.len < 8 ||
        !slice_equal_nocase(slice_of(authorization.at, 7), SLICE("Bearer ")))
        return false;
    token = slice_trim(slice_after(authorization, 7));
    return slice_equal(token, SLICE(TOKEN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size);
    struct call *call;
    bool is_let_in;

    if (fixture.snapshot == NULL) {
        log_set_level(LOG_ERROR);
        fixture_open(configuration);
    }
    if (size < 1)
        return 0;
    rest = slice_after(rest, 1);
    call = fixture_call("GET", SLICE("/v1/whoami"), SLICE(""));
    call->uid = data[0] % 2 == 1 ? data[0] : -1;
    call->is_local = call->uid >= 0;
    call->authorization = next_line(&rest);
    call->on_behalf_of = next_line(&rest);
    fixture.admin.failures = (struct auth_failures){0};
    dispatch(call);
    is_let_in = call->reply.status == 200;
    CHECK(is_let_in == (is_known(call->authorization, call->uid) && call->on_behalf_of.len == 0));
    CHECK(is_let_in || call->reply.status == 401 || call->reply.status == 403);
    if (is_let_in)
        CHECK(strcmp(call->actor.person, "ann") == 0 && call->actor.roles == ROLE_AUTHOR);
    CHECK(strstr(buffer_text(&call->reply.body), SECRET) == NULL);
    call_free(&call);
    return 0;
}
