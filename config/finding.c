/*
 * finding - a list of diagnostics.
 *
 * Owner    whoever called findings_init()      Threads  one at a time
 */
#include "config/finding.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"

void findings_init(struct findings *findings, struct arena *arena)
{
    *findings = (struct findings){.arena = arena};
}

void findings_fini(struct findings *findings)
{
    xfree(findings->items);
    *findings = (struct findings){0};
}

static struct finding *next_item(struct findings *findings)
{
    if (findings->count == findings->room) {
        findings->room = findings->room > 0 ? findings->room * 2 : 16;
        findings->items = xrealloc(findings->items, findings->room * sizeof(*findings->items));
    }
    return &findings->items[findings->count++];
}

struct finding *finding_add(struct findings *findings, enum finding_severity severity,
                            const char *rule, const char *file, const char *pointer,
                            const char *format, ...)
{
    struct finding *finding = next_item(findings);
    char message[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    *finding = (struct finding){
        .severity = severity,
        .rule = rule,
        .file = file != NULL ? arena_strdup(findings->arena, file) : NULL,
        .pointer = arena_strdup(findings->arena, pointer != NULL ? pointer : ""),
        .message = arena_strdup(findings->arena, message),
    };
    return finding;
}

size_t findings_count_at_least(const struct findings *findings, enum finding_severity severity)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++)
        count += findings->items[i].severity >= severity;
    return count;
}

const char *finding_severity_word(enum finding_severity severity)
{
    static const char *const words[] = {"info", "warning", "error", "block"};

    return words[severity];
}

size_t finding_text(const struct finding *finding, char *out, size_t out_bytes)
{
    char place[32] = "";
    int len;

    if (finding->line > 0)
        (void)snprintf(place, sizeof(place), ":%d:%d", finding->line, finding->column);
    len = snprintf(out, out_bytes, "%s%s%s%s%s%s", finding->file != NULL ? finding->file : "",
                   place, finding->file != NULL ? ": " : "", finding->pointer,
                   finding->pointer[0] != '\0' ? ": " : "", finding->message);
    for (char *c = out; out_bytes > 0 && *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?'; /* what a file says must not steer a terminal */
    return (size_t)len < out_bytes ? (size_t)len : out_bytes - 1;
}
