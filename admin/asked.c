/*
 * asked - see asked.h.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/asked.h"

#include <string.h>

#include "admin/auth.h"
#include "admin/call.h"
#include "admin/dispatch.h"
#include "admin/internal.h"
#include "admin/problem.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/digest.h"
#include "base/memory.h"

enum { PAGE_LIMIT = 50, PAGE_LIMIT_MAX = 200 };

struct ledger *asked_ledger(struct call *call)
{
    struct ledger *ledger = call->admin->options.ledger;

    if (ledger == NULL)
        problem_reply(call, PROBLEM_NOT_RUNNING, "GET /v1/status",
                      "the history of changes is not open");
    return ledger;
}

const char *asked_argument(const struct call *call, unsigned place)
{
    CHECK(place < CALL_ARGUMENTS);
    return arena_slice(call->arena, call->arguments[place]).at;
}

const char *asked_parameter(const struct call *call, const char *name)
{
    struct slice value;

    return call_parameter(call, name, &value) ? value.at : NULL;
}

bool asked_flag(struct call *call, const char *name, bool *value_out)
{
    const char *text = asked_parameter(call, name);

    *value_out = text != NULL && strcmp(text, "true") == 0;
    if (text == NULL || *value_out || strcmp(text, "false") == 0)
        return true;
    problem_reply(call, PROBLEM_INVALID_FIELD, NULL, "%s is true or false, not %s", name, text);
    return false;
}

bool asked_number(struct call *call, const char *name, uint64_t least, uint64_t most,
                  uint64_t *value)
{
    const char *text = asked_parameter(call, name);
    uint64_t number;

    if (text == NULL)
        return true;
    if (slice_to_u64(slice_from(text), &number) && number >= least && number <= most) {
        *value = number;
        return true;
    }
    problem_reply(call, PROBLEM_INVALID_FIELD, NULL, "%s is a number from %llu to %llu, not %s",
                  name, (unsigned long long)least, (unsigned long long)most, text);
    return false;
}

static bool is_one_tag(struct slice tag)
{
    for (size_t i = 0; i < tag.len; i++)
        if (tag.at[i] == '"' || tag.at[i] == ',' || tag.at[i] == '*' || tag.at[i] == ' ')
            return false;
    return tag.len > 0;
}

bool asked_if_match(struct call *call, const char **digest_out)
{
    struct slice tag = slice_trim(call->if_match);

    *digest_out = NULL;
    if (tag.len == 0)
        return true;
    if (slice_starts_with(tag, SLICE("W/"))) {
        problem_reply(call, PROBLEM_DIGEST_MISMATCH, NULL,
                      "If-Match: a weak tag never matches (RFC 9110 section 13.1.1)");
        return false;
    }
    if (tag.len >= 2 && tag.at[0] == '"' && tag.at[tag.len - 1] == '"')
        tag = slice_of(tag.at + 1, tag.len - 2);
    if (!is_one_tag(tag)) {
        problem_reply(call, PROBLEM_INVALID_FIELD, NULL,
                      "If-Match names one version by its digest: \"sha256:...\"");
        return false;
    }
    *digest_out = arena_slice(call->arena, tag).at;
    return true;
}

/* --- the body ---------------------------------------------------------------------------- */

bool asked_nothing(struct call *call)
{
    static const char *const no_fields[] = {NULL};
    json_t *body = dispatch_body(call, no_fields);

    json_decref(body);
    return body != NULL;
}

void asked_error(json_t *errors, const char *name, const char *message)
{
    json_array_append_new(errors, json_pack("{s:s+, s:s, s:s, s:s}", "pointer", "/", name, "rule",
                                            "api", "severity", "error", "message", message));
}

/* Controls, and what makes text read in another order than it is written (U+202A..E, U+2066..9,
 * U+200E, U+200F, U+061C): an approver must see what he agrees to. */
static bool is_plain_text(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
            return false;
        if (*at == 0xe2 && at[1] == 0x80 && (at[2] == 0x8e || at[2] == 0x8f))
            return false;
        if (*at == 0xe2 && at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae)
            return false;
        if (*at == 0xe2 && at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9)
            return false;
        if (*at == 0xd8 && at[1] == 0x9c)
            return false;
    }
    return true;
}

void asked_text(json_t *body, const char *name, bool is_needed, json_t *errors,
                const char **value_out)
{
    json_t *value = json_object_get(body, name);
    const char *text = json_string_value(value);

    *value_out = NULL;
    if (value == NULL || json_is_null(value)) {
        if (is_needed)
            asked_error(errors, name, "is needed");
        return;
    }
    if (text == NULL || strlen(text) != json_string_length(value))
        asked_error(errors, name, "must be a text");
    else if (!is_plain_text(text))
        asked_error(errors, name,
                    "may hold no control characters, and none that change the direction of text");
    else if (is_needed && text[0] == '\0')
        asked_error(errors, name, "must not be empty");
    else
        *value_out = text;
}

bool asked_wrongly(struct call *call, json_t *errors)
{
    size_t count = json_array_size(errors);

    if (count == 0) {
        json_decref(errors);
        return false;
    }
    problem_reply_with(call, PROBLEM_INVALID_FIELD, NULL, json_pack("{s:o}", "errors", errors),
                       "%zu field%s to mend; nothing was done", count, count == 1 ? "" : "s");
    return true;
}

/* --- the answer -------------------------------------------------------------------------- */

void asked_reply(struct call *call, bool ok, unsigned status, json_t *answer,
                 struct refusal *refusal)
{
    if (ok) {
        auth_mask_change(call, answer);
        reply_json(call, status, answer);
    } else {
        problem_reply_refusal(call, refusal);
    }
    refusal_clear(refusal);
}

void asked_reply_change(struct call *call, bool ok, unsigned status, json_t *answer,
                        struct refusal *refusal)
{
    const char *etag = ok ? json_string_value(json_object_get(answer, "etag")) : NULL;
    const char *id = ok ? json_string_value(json_object_get(answer, "id")) : NULL;

    if (etag != NULL)
        reply_header(call, "ETag", arena_printf(call->arena, "\"%s\"", etag));
    if (id != NULL && (status == 201 || status == 202))
        reply_header(call, "Location", arena_printf(call->arena, "/v1/changes/%s", id));
    asked_reply(call, ok, status, answer, refusal);
}

void asked_reply_bytes(struct call *call, asked_bytes_fn *find,
                       void (*write)(struct call *call, struct slice bytes))
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    struct buffer bytes;
    struct digest digest;
    char etag[DIGEST_TEXT];

    if (ledger == NULL)
        return;
    buffer_init(&bytes);
    if (!find(ledger, asked_argument(call, 0), &bytes, &refusal)) {
        asked_reply(call, false, 0, NULL, &refusal);
    } else {
        digest = digest_of(buffer_slice(&bytes));
        if (!reply_if_unchanged(call, digest_text(&digest, etag))) {
            write(call, buffer_slice(&bytes));
            reply_written(call, 200, reply_json_type);
        }
    }
    buffer_fini(&bytes);
}

/* --- later ------------------------------------------------------------------------------- */

/* The caller may be gone before it ends. */
struct asked_later {
    struct call *call; /* NULL: gone */
    bool is_change;
};

static void on_gone(struct call *call)
{
    struct asked_later *later = call->handler_part;

    later->call = NULL;
}

struct asked_later *asked_later_new(struct call *call, bool is_change)
{
    struct asked_later *later = xcalloc(1, sizeof(*later));

    later->call = call;
    later->is_change = is_change;
    call->handler_part = later;
    call->on_gone = on_gone;
    return later;
}

void asked_later_done(void *context, json_t *answer, const struct refusal *refusal)
{
    struct asked_later *later = context;
    struct call *call = later->call;
    bool is_change = later->is_change;
    struct refusal none = {0};

    xfree(later);
    if (call == NULL) {
        json_decref(answer);
        return;
    }
    call->handler_part = NULL;
    call->on_gone = NULL;
    admin_notice_running(call->admin);
    if (answer == NULL)
        problem_reply_refusal(call, refusal);
    else if (is_change)
        asked_reply_change(call, true, 200, answer, &none);
    else if (json_object_get(answer, "iteration") !=
             NULL) /* it takes approvals: a change was made */
        asked_reply_change(call, true, 202, answer, &none);
    else
        asked_reply(call, true, 200, answer, &none);
}

/* --- pages ------------------------------------------------------------------------------- */

bool asked_page(struct call *call, struct asked_page *page_out)
{
    uint64_t limit = PAGE_LIMIT;

    if (!asked_number(call, "limit", 1, PAGE_LIMIT_MAX, &limit))
        return false;
    page_out->cursor = asked_parameter(call, "cursor");
    page_out->limit = (unsigned)limit;
    return true;
}

/* The query stays as it was, but for the cursor. */
void asked_link_next(struct call *call, const char *more)
{
    struct slice rest = call->query, name, value;
    const char *query = "";

    if (more[0] == '\0')
        return;
    while (call_next_parameter(&rest, &name, &value))
        if (!slice_equal(name, SLICE("cursor")))
            query = arena_printf(call->arena, "%s%.*s=%.*s&", query, SLICE_ARGS(name),
                                 SLICE_ARGS(value));
    reply_header(call, "Link",
                 arena_printf(call->arena, "<%.*s?%scursor=%s>; rel=\"next\"",
                              SLICE_ARGS(call->path), query, more));
}
