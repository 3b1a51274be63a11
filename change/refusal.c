/*
 * refusal - see refusal.h.
 *
 * Owner    the refusal it fills.      Threads  control
 */
#include "change/refusal.h"

#include <stdarg.h>
#include <stdio.h>

#include "config/finding.h"

static void fill(struct refusal *refusal, const char *problem, const char *next, json_t *fields,
                 const char *format, va_list arguments)
{
    if (refusal == NULL) {
        json_decref(fields);
        return;
    }
    refusal_clear(refusal);
    refusal->problem = problem;
    refusal->fields = fields;
    (void)snprintf(refusal->next, sizeof(refusal->next), "%s", next != NULL ? next : "");
    (void)vsnprintf(refusal->detail, sizeof(refusal->detail), format, arguments);
}

bool refuse(struct refusal *refusal, const char *problem, const char *next, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(refusal, problem, next, NULL, format, arguments);
    va_end(arguments);
    return false;
}

bool refuse_with(struct refusal *refusal, const char *problem, const char *next, json_t *fields,
                 const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(refusal, problem, next, fields, format, arguments);
    va_end(arguments);
    return false;
}

bool refuse_findings(struct refusal *refusal, const char *problem, const char *next,
                     const struct findings *findings, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(refusal, problem, next, json_pack("{s:o}", "errors", findings_json(findings)), format,
         arguments);
    va_end(arguments);
    return false;
}

void refusal_clear(struct refusal *refusal)
{
    json_decref(refusal->fields);
    *refusal = (struct refusal){0};
}

json_t *findings_json(const struct findings *findings)
{
    json_t *list = json_array();

    for (size_t i = 0; findings != NULL && i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "rule", finding->rule,
                                        "severity", finding_severity_word(finding->severity),
                                        "pointer", finding->pointer, "message", finding->message,
                                        "fix", finding->fix, "file", finding->file));
    }
    return list;
}
