/*
 * Fuzzes the admin API behind its HTTP reader: any method, target, Host, Accept and body must be
 * answered with a status, and a JSON answer must be JSON.
 *
 * Input: lines "METHOD target", "Host", "Accept"; the rest is the body.
 */
#include <stdint.h>

#include "tests/support/admin_fixture.h"

static const char configuration[] =
    "{\"listeners\":{\"web\":{\"address\":\"127.0.0.1:8080\"}},"
    "\"pools\":{\"app\":{\"balance\":\"maglev\",\"servers\":{\"s1\":{\"address\":\"127.0.0.1:1\"},"
    "\"s2\":{\"address\":\"127.0.0.1:2\",\"state\":\"drain\"}}}},"
    "\"routes\":{\"everything\":{\"pool\":\"app\"},"
    "\"regex\":{\"path_regex\":\"^/[a-z]+/[0-9]*$\",\"hosts\":[\"*.example\"],\"pool\":\"app\"},"
    "\"beta\":{\"headers\":{\"x-beta\":\"1\"},\"split\":{\"app\":1}},"
    "\"api\":{\"path_prefix\":\"/api\",\"methods\":[\"POST\"],\"pool\":\"app\"}},"
    "\"policy\":{\"mode\":\"advisory\"}}";

/* The fixture lives as long as the fuzzer, partly in mapped pages, where the leak check does not
 * look for pointers. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:fixture_open\n";
}

static void no_reload(void *context, const struct actor *actor, admin_reloaded_fn *done,
                      void *done_context)
{
    struct admin_reload_result result = {.ok = false, .why = "not here"};

    (void)context;
    (void)actor;
    done(done_context, &result);
}

static struct slice next_line(struct slice *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    struct slice line = slice_of(rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len);

    *rest = slice_after(*rest, end != NULL ? line.len + 1 : line.len);
    return line;
}

static void check_answer(const struct call *call)
{
    struct slice body = buffer_slice(&call->reply.body);
    json_t *json;

    CHECK(call->reply.is_ready);
    CHECK(call->reply.status >= 200 && call->reply.status < 600);
    if (call->reply.content_type == NULL || strstr(call->reply.content_type, "json") == NULL)
        return;
    json = json_loadb(body.at, body.len, JSON_DECODE_ANY, NULL);
    CHECK(json != NULL);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size), first, host, accept;
    const char *space;
    struct call *call;

    if (fixture.snapshot == NULL) {
        fixture_open(configuration);
        fixture.admin.options.reload = no_reload;
    }
    first = next_line(&rest);
    host = next_line(&rest);
    accept = next_line(&rest);
    space = first.len > 0 ? memchr(first.at, ' ', first.len) : NULL;
    if (space == NULL || memchr(first.at, '\0', first.len) != NULL)
        return 0;
    call = fixture_call("", slice_after(first, (size_t)(space - first.at) + 1), rest);
    call->method = slice_of(first.at, (size_t)(space - first.at));
    call->host = host;
    call->accept = accept;
    dispatch(call);
    check_answer(call);
    call_free(&call);
    return 0;
}
