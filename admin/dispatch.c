/*
 * dispatch - see dispatch.h.
 *
 * Paths are compared as sent: only what a {name} stands for is decoded, so that a %2F in a name is
 * part of the name.  A call must not come from a web page that a browser runs for somebody else;
 * who calls is auth.c's.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/dispatch.h"

#include <arpa/inet.h>

#include "admin/admin.h"
#include "admin/auth.h"
#include "admin/call.h"
#include "admin/internal.h"
#include "admin/operations.h"
#include "admin/problem.h"
#include "admin/repeat.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"

enum { BODY_DEPTH = 64 };

const struct operation operations[] = {
#define OPERATION(id, method, path, permission, query, body, answer, has_text, summary)            \
    {#id, #method, path, #permission, query, body, answer, has_text, summary, on_##id},
#include "admin/operations.def"
#undef OPERATION
};
const size_t operation_count = sizeof(operations) / sizeof(operations[0]);

/* --- where the caller is ----------------------------------------------------------------- */

/* Without port and brackets. */
struct slice dispatch_host_name(struct slice host)
{
    if (host.len > 0 && host.at[0] == '[') {
        const char *end = memchr(host.at, ']', host.len);
        return end != NULL ? slice_of(host.at + 1, (size_t)(end - host.at) - 1) : host;
    }
    const char *colon = host.len > 0 ? memchr(host.at, ':', host.len) : NULL;
    return colon != NULL ? slice_of(host.at, (size_t)(colon - host.at)) : host;
}

/* Over TLS any address: nobody can point one elsewhere, as one can a name. */
static bool is_ours_literal(const struct call *call, struct slice name)
{
    char text[64];
    struct in_addr v4;
    struct in6_addr v6;

    if (name.len >= sizeof(text))
        return false;
    slice_copy(name, text, sizeof(text));
    if (inet_pton(AF_INET, text, &v4) == 1)
        return call->is_secured || (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && (call->is_secured || IN6_IS_ADDR_LOOPBACK(&v6));
}

/* A name that somebody else's DNS points at 127.0.0.1 is not this host. */
static bool host_is_ours(const struct call *call)
{
    struct slice name = dispatch_host_name(call->host);

    if (call->is_local || call->host.len == 0 || call->is_host_certified)
        return true;
    return slice_equal_nocase(name, SLICE("localhost")) || is_ours_literal(call, name) ||
           slice_equal_nocase(name, slice_from(call->admin->listen_host));
}

/* Only browsers send Origin and Sec-Fetch-Site, and they do so on every call that changes things.
 */
static bool origin_is_ours(const struct call *call)
{
    struct slice origin = call->origin;
    struct slice scheme = call->is_secured ? SLICE("https://") : SLICE("http://");

    if (call->fetch_site.len > 0 && !slice_equal(call->fetch_site, SLICE("same-origin")) &&
        !slice_equal(call->fetch_site, SLICE("none")))
        return false;
    if (origin.len == 0)
        return true;
    return slice_starts_with(origin, scheme) &&
           slice_equal_nocase(slice_after(origin, scheme.len), call->host);
}

/* --- path and query ---------------------------------------------------------------------- */

static struct slice next_segment(struct slice *rest)
{
    const char *slash;
    struct slice segment;

    *rest = slice_after(*rest, 1); /* the slash before it */
    slash = rest->len > 0 ? memchr(rest->at, '/', rest->len) : NULL;
    segment = slice_of(rest->at, slash != NULL ? (size_t)(slash - rest->at) : rest->len);
    *rest = slice_after(*rest, segment.len);
    return segment;
}

bool dispatch_match(const char *path_template, struct slice path, struct slice *arguments_out)
{
    struct slice wanted = slice_from(path_template);
    size_t count = 0;

    while (wanted.len > 0 && path.len > 0) {
        if (path.at[0] != '/')
            return false;
        struct slice want = next_segment(&wanted), have = next_segment(&path);
        if (want.len > 0 && want.at[0] == '{') {
            if (have.len == 0)
                return false;
            CHECK(count < CALL_ARGUMENTS);
            arguments_out[count++] = have;
        } else if (!slice_equal(want, have)) {
            return false;
        }
    }
    return wanted.len == 0 && path.len == 0;
}

static bool is_word_of(struct slice word, const char *words)
{
    struct slice rest = slice_from(words);

    while (rest.len > 0) {
        const char *space = memchr(rest.at, ' ', rest.len);
        size_t len = space != NULL ? (size_t)(space - rest.at) : rest.len;
        if (slice_equal(slice_of(rest.at, len), word))
            return true;
        rest = slice_after(rest, space != NULL ? len + 1 : len);
    }
    return false;
}

/* The first parameter that the operation does not take, or that stands there twice; false when
 * there is none. */
static bool has_unknown_parameter(const struct call *call, struct slice *name_out)
{
    struct slice rest = call->query, value;

    while (call_next_parameter(&rest, name_out, &value)) {
        struct slice after = rest, again;
        if (!is_word_of(*name_out, call->operation->query))
            return true;
        while (call_next_parameter(&after, &again, &value))
            if (slice_equal(again, *name_out))
                return true;
    }
    return false;
}

static bool method_is(const struct call *call, const char *method)
{
    if (slice_equal(call->method, slice_from(method)))
        return true;
    return slice_equal(call->method, SLICE("HEAD")) && strcmp(method, "GET") == 0;
}

/* Finds the operation; *allow_out lists the methods of the path when only the method is wrong. */
static const struct operation *find_operation(struct call *call, const char **allow_out)
{
    const char *allow = NULL;

    for (size_t i = 0; i < operation_count; i++) {
        const struct operation *operation = &operations[i];
        if (!dispatch_match(operation->path, call->path, call->arguments))
            continue;
        if (method_is(call, operation->method))
            return operation;
        const char *more = strcmp(operation->method, "GET") == 0 ? "GET, HEAD" : operation->method;
        allow = allow == NULL ? more : arena_printf(call->arena, "%s, %s", allow, more);
    }
    *allow_out = allow;
    return NULL;
}

static void split_target(struct call *call)
{
    const char *mark = call->target.len > 0 ? memchr(call->target.at, '?', call->target.len) : NULL;
    size_t path_len = mark != NULL ? (size_t)(mark - call->target.at) : call->target.len;

    call->path = slice_of(call->target.at, path_len);
    if (mark != NULL)
        call->query = slice_after(call->target, path_len + 1);
}

static void reply_no_operation(struct call *call, const char *allow)
{
    if (allow == NULL) {
        problem_reply(call, PROBLEM_NOT_FOUND, "GET /", "there is no %.*s here",
                      SLICE_ARGS(call->path));
        return;
    }
    reply_header(call, "Allow", allow);
    if (slice_equal(call->method, SLICE("OPTIONS"))) {
        reply_written(call, 204, NULL);
        return;
    }
    problem_reply(call, PROBLEM_METHOD_NOT_ALLOWED, NULL, "%.*s takes %s, not %.*s",
                  SLICE_ARGS(call->path), allow, SLICE_ARGS(call->method));
}

static void reply_unknown_parameter(struct call *call, struct slice name)
{
    const char *takes = call->operation->query;
    json_t *fields = json_pack("{s:o, s:s}", "parameter", reply_string(name), "allowed", takes);

    problem_reply_with(call, PROBLEM_UNKNOWN_PARAMETER, NULL, fields,
                       is_word_of(name, takes) ? "%.*s stands twice in the query (%s)"
                                               : "%.*s is not a parameter of this call (%s)",
                       SLICE_ARGS(name), takes[0] != '\0' ? takes : "it takes none");
}

/* True when the call was answered because of where it comes from. */
static bool is_refused(struct call *call)
{
    if (!host_is_ours(call)) {
        problem_reply(call, PROBLEM_BAD_HOST, NULL, "the Host header says %.*s",
                      SLICE_ARGS(call->host));
        return true;
    }
    if (!method_is(call, "GET") && !origin_is_ours(call)) {
        problem_reply(call, PROBLEM_BAD_ORIGIN, NULL, "the Origin header says %.*s",
                      SLICE_ARGS(call->origin));
        return true;
    }
    return false;
}

/* POST /v1/explain changes nothing either, but nobody needs it more often. */
static bool is_read(const struct call *call)
{
    return strcmp(call->operation->method, "GET") == 0;
}

/* False: the call was answered, this person calls too often. */
static bool may_go_on(struct call *call)
{
    unsigned wait_s = pace_take(&call->admin->pace, call->actor.person, clock_ns());

    if (wait_s == 0)
        return true;
    reply_header(call, "Retry-After", arena_printf(call->arena, "%u", wait_s));
    problem_reply(call, PROBLEM_SLOW_DOWN, NULL,
                  "%s may change something %d times a second; ask again in %u s",
                  call->actor.person, PACE_A_SECOND, wait_s);
    return false;
}

static void reply_too_large(struct call *call)
{
    problem_reply(call, PROBLEM_TOO_LARGE, NULL, "a body may have %d bytes", CALL_BODY_BYTES);
}

void dispatch_head(struct call *call)
{
    const char *allow = NULL;
    struct slice unknown;

    CHECK_OBJ(call, CALL_TAG);
    call->is_looked_at = true;
    split_target(call);
    if (is_refused(call))
        return;
    call->operation = find_operation(call, &allow);
    if (call->operation == NULL) {
        reply_no_operation(call, allow);
        return;
    }
    if (call->is_too_large) {
        reply_too_large(call);
        return;
    }
    if (!auth_identify(call) || !auth_permit(call))
        return;
    if (has_unknown_parameter(call, &unknown)) {
        reply_unknown_parameter(call, unknown);
        return;
    }
    for (size_t i = 0; i < CALL_ARGUMENTS; i++)
        call->arguments[i] = call_decoded(call->arena, call->arguments[i]);
}

void dispatch(struct call *call)
{
    if (!call->is_looked_at)
        dispatch_head(call);
    if (call->reply.is_ready)
        return;
    if (call->is_too_large) {
        reply_too_large(call);
        return;
    }
    if (!is_read(call) && (!may_go_on(call) || repeat_begin(call)))
        return;
    admin_notice_running(call->admin);
    call->operation->run(call);
}

/* --- the body ---------------------------------------------------------------------------- */

static void reply_invalid_json(struct call *call, const json_error_t *error)
{
    json_t *fields = json_pack("{s:i, s:i}", "line", error->line, "column", error->column);

    problem_reply_with(call, PROBLEM_INVALID_JSON, NULL, fields, "line %d, column %d: %s",
                       error->line, error->column, error->text);
}

static const char *joined(struct arena *arena, const char *const *words)
{
    const char *text = words[0] != NULL ? words[0] : "none";

    for (size_t i = 1; words[0] != NULL && words[i] != NULL; i++)
        text = arena_printf(arena, "%s, %s", text, words[i]);
    return text;
}

static bool is_among(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static bool has_unknown_fields(struct call *call, json_t *body, const char *const *allowed)
{
    json_t *errors = json_array(), *value;
    const char *key, *takes = joined(call->arena, allowed);

    json_object_foreach(body, key, value)
    {
        if (is_among(key, allowed))
            continue;
        json_array_append_new(errors, json_pack("{s:s+, s:s, s:s, s:s+}", "pointer", "/", key,
                                                "rule", "api", "severity", "error", "message",
                                                "no such field; it takes ", takes));
    }
    size_t count = json_array_size(errors);
    if (count == 0) {
        json_decref(errors);
        return false;
    }
    problem_reply_with(call, PROBLEM_UNKNOWN_FIELD, NULL, json_pack("{s:o}", "errors", errors),
                       "%zu field%s of the body %s not known here; it takes %s", count,
                       count == 1 ? "" : "s", count == 1 ? "is" : "are", takes);
    return true;
}

/* Where brackets nest deeper than any configuration does; NULL: nowhere.  Read before the parser
 * sees it, which would follow them on the stack. */
static const char *too_deep(struct slice text)
{
    unsigned depth = 0;
    bool is_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (is_string && c == '\\')
            i++;
        else if (c == '"')
            is_string = !is_string;
        else if (!is_string && (c == '{' || c == '[') && ++depth > BODY_DEPTH)
            return text.at + i;
        else if (!is_string && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return NULL;
}

static void reply_too_deep(struct call *call, struct slice text, const char *where)
{
    int line = 1, column = 1;

    for (const char *at = text.at; at < where; at++) {
        column = *at == '\n' ? 1 : column + 1;
        line += *at == '\n';
    }
    problem_reply_with(
        call, PROBLEM_INVALID_JSON, NULL, json_pack("{s:i, s:i}", "line", line, "column", column),
        "line %d, column %d: more than %d brackets are open here", line, column, BODY_DEPTH);
}

json_t *dispatch_body(struct call *call, const char *const *allowed)
{
    json_error_t error;
    struct slice text = slice_trim(buffer_slice(&call->body));
    const char *deep;
    json_t *body;

    if (text.len == 0)
        return json_object();
    if ((deep = too_deep(text)) != NULL) {
        reply_too_deep(call, text, deep);
        return NULL;
    }
    body = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, &error);
    if (body == NULL) {
        reply_invalid_json(call, &error);
        return NULL;
    }
    if (!json_is_object(body)) {
        json_decref(body);
        problem_reply(call, PROBLEM_INVALID_JSON, NULL, "the body must be an object: {…}");
        return NULL;
    }
    if (has_unknown_fields(call, body, allowed)) {
        json_decref(body);
        return NULL;
    }
    return body;
}
