/*
 * regex - the only file that knows PCRE2: expressions over whole paths, in bounded time.
 *
 * Compiled to machine code where the system allows it.  An expression that backtracks past the
 * limit gives up; what that means is the caller's to say.
 *
 * Owner    regex: the route table.  scratch: one thread.
 * Threads  a regex is read-only: any.  A scratch: its own.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "proxy/route/internal.h"

enum {
    SCRATCH_TAG = 0x52535343,
    STEPS_AT_MOST = 100000, /* about a millisecond */
    HEAP_KIB_AT_MOST = 1024,
    JIT_STACK_FIRST = 32 * 1024,
    JIT_STACK_AT_MOST = 256 * 1024,
};

struct route_regex {
    pcre2_code *code;
};

struct route_scratch {
    uint32_t tag;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
};

struct route_regex *route_regex_new(const char *route, const char *expression, struct error *why)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    PCRE2_UCHAR text[160];
    uint32_t options =
        PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_DOTALL;
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);

    if (compiled == NULL) {
        pcre2_get_error_message(code, text, sizeof(text));
        error_set(why, ERROR_INVALID, "route %s: path_regex \"%s\": %s, after %zu characters",
                  route, expression, (const char *)text, (size_t)at);
        return NULL;
    }
    (void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* without it, it is interpreted */
    struct route_regex *regex = xmalloc(sizeof(*regex));
    regex->code = compiled;
    return regex;
}

void route_regex_free(struct route_regex **regex)
{
    struct route_regex *gone = TAKE_POINTER(regex);

    if (gone == NULL)
        return;
    pcre2_code_free(gone->code);
    xfree(gone);
}

struct route_scratch *route_scratch_new(void)
{
    struct route_scratch *scratch = xcalloc(1, sizeof(*scratch));

    scratch->tag = SCRATCH_TAG;
    scratch->match = pcre2_match_data_create(1, NULL);
    scratch->limits = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_AT_MOST, NULL);
    CHECK(scratch->match != NULL && scratch->limits != NULL);
    pcre2_set_match_limit(scratch->limits, STEPS_AT_MOST);
    pcre2_set_heap_limit(scratch->limits, HEAP_KIB_AT_MOST);
    if (scratch->stack != NULL) /* else the thread's own stack serves */
        pcre2_jit_stack_assign(scratch->limits, NULL, scratch->stack);
    return scratch;
}

void route_scratch_free(struct route_scratch **scratch)
{
    struct route_scratch *gone = TAKE_POINTER(scratch);

    if (gone == NULL)
        return;
    CHECK_OBJ(gone, SCRATCH_TAG);
    gone->tag = 0;
    pcre2_match_data_free(gone->match);
    pcre2_match_context_free(gone->limits);
    pcre2_jit_stack_free(gone->stack);
    xfree(gone);
}

enum regex_result route_regex_match(const struct route_regex *regex, struct route_scratch *scratch,
                                    struct slice path)
{
    int result = pcre2_match(regex->code, (PCRE2_SPTR)path.at, path.len, 0, 0, scratch->match,
                             scratch->limits);

    if (result >= 0)
        return REGEX_MATCH;
    return result == PCRE2_ERROR_NOMATCH ? REGEX_NO_MATCH : REGEX_GAVE_UP;
}
