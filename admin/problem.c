/*
 * problem - see problem.h.  The names, their statuses and their help are in problems.def.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "admin/call.h"
#include "admin/operations.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "change/refusal.h"
#include "config/finding.h"

static const struct problem problems[PROBLEM_COUNT] = {
#define PROBLEM(id, name, status, title, help) [PROBLEM_##id] = {name, status, title, help},
#include "admin/problems.def"
#undef PROBLEM
};

const struct problem *problem_about(enum problem_id id)
{
    CHECK(id < PROBLEM_COUNT);
    return &problems[id];
}

static json_t *problem_json(struct call *call, enum problem_id id, const char *next, json_t *fields,
                            const char *detail)
{
    const struct problem *about = problem_about(id);
    json_t *json = json_object();

    json_object_set_new(json, "type",
                        json_string(arena_printf(call->arena, "/v1/problems/%s", about->name)));
    json_object_set_new(json, "title", json_string(about->title));
    json_object_set_new(json, "status", json_integer(about->status));
    json_object_set_new(json, "detail", reply_string(slice_from(detail)));
    json_object_set_new(json, "instance", reply_string(call->target));
    if (next != NULL)
        json_object_set_new(json, "next", json_string(next));
    if (fields != NULL) {
        json_object_update_missing(json, fields);
        json_decref(fields);
    }
    return json;
}

void problem_reply_with(struct call *call, enum problem_id id, const char *next, json_t *fields,
                        const char *format, ...)
{
    char detail[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    reply_json(call, problem_about(id)->status, problem_json(call, id, next, fields, detail));
}

void problem_reply(struct call *call, enum problem_id id, const char *next, const char *format, ...)
{
    char detail[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    reply_json(call, problem_about(id)->status, problem_json(call, id, next, NULL, detail));
}

json_t *problem_finding_json(const struct finding *finding)
{
    json_t *json = json_object();

    json_object_set_new(json, "pointer", reply_string_or_null(finding->pointer));
    json_object_set_new(json, "rule", reply_string_or_null(finding->rule));
    json_object_set_new(json, "severity", json_string(finding_severity_word(finding->severity)));
    json_object_set_new(json, "message", reply_string_or_null(finding->message));
    json_object_set_new(json, "fix", reply_string_or_null(finding->fix));
    json_object_set_new(json, "file", reply_string_or_null(finding->file));
    if (finding->line > 0) {
        json_object_set_new(json, "line", json_integer(finding->line));
        json_object_set_new(json, "column", json_integer(finding->column));
    }
    return json;
}

json_t *problem_findings_json(const struct findings *findings)
{
    json_t *list = json_array();

    for (size_t i = 0; findings != NULL && i < findings->count; i++)
        json_array_append_new(list, problem_finding_json(&findings->items[i]));
    return list;
}

void problem_reply_findings(struct call *call, const struct findings *findings, const char *next,
                            const char *why)
{
    size_t serious = findings != NULL ? findings_count_at_least(findings, FINDING_ERROR) : 0;
    json_t *fields = json_pack("{s:o}", "errors", problem_findings_json(findings));

    if (why != NULL)
        problem_reply_with(call, PROBLEM_FINDINGS_BLOCK, next, fields, "%s", why);
    else
        problem_reply_with(call, PROBLEM_FINDINGS_BLOCK, next, fields,
                           "%zu finding%s to mend; what ran goes on", serious,
                           serious == 1 ? "" : "s");
}

static enum problem_id problem_named(const char *name)
{
    for (unsigned id = 0; id < PROBLEM_COUNT; id++)
        if (strcmp(problems[id].name, name) == 0)
            return (enum problem_id)id;
    panic("there is no problem %s in problems.def", name);
}

void problem_reply_refusal(struct call *call, const struct refusal *refusal)
{
    const char *next = refusal->next[0] != '\0' ? arena_strdup(call->arena, refusal->next) : NULL;
    json_t *fields = json_incref(refusal->fields);

    problem_reply_with(call, problem_named(refusal->problem), next, fields, "%s", refusal->detail);
}

static json_t *about_json(const struct problem *about)
{
    return json_pack("{s:s, s:i, s:s, s:s}", "name", about->name, "status", (int)about->status,
                     "title", about->title, "help", about->help);
}

void on_problem(struct call *call)
{
    for (size_t i = 0; i < PROBLEM_COUNT; i++) {
        if (!slice_equal(call->arguments[0], slice_from(problems[i].name)))
            continue;
        if (!call_wants_text(call)) {
            reply_json(call, 200, about_json(&problems[i]));
            return;
        }
        buffer_printf(&call->reply.body, "%s (%u)\n%s\n\n%s\n", problems[i].name,
                      problems[i].status, problems[i].title, problems[i].help);
        reply_written(call, 200, reply_text_type);
        return;
    }
    problem_reply(call, PROBLEM_NOT_FOUND, "GET /v1/problems", "there is no problem named %.*s",
                  SLICE_ARGS(call->arguments[0]));
}

void on_problems(struct call *call)
{
    json_t *list = json_array();

    for (size_t i = 0; i < PROBLEM_COUNT; i++)
        json_array_append_new(list, about_json(&problems[i]));
    reply_json(call, 200, json_pack("{s:o}", "problems", list));
}
