/*
 * cases - rows of "this configuration raises that rule there, saying this", for the tests of each
 * family of rules.  Documents are written with ' for ".
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/contents.h"
#include "detect/detect.h"
#include "tests/support/config_text.h"

struct detect_case {
    const char *rule;
    const char *base; /* or NULL: no change */
    const char *target;
    const char *pointer; /* NULL: the rule finds nothing */
    const char *says;    /* part of the message */
    enum finding_severity severity;
    struct detect_subject with; /* what else is known */
};

/* {rule, target, where, saying, severity} and {rule, target}; `with` besides. */
#define FIRES(id, document, where, saying, how_bad, ...)                                           \
    {                                                                                              \
        .rule = (id), .target = (document), .pointer = (where), .says = (saying),                  \
        .severity = FINDING_##how_bad, __VA_ARGS__                                                 \
    }
#define QUIET(id, document, ...)                                                                   \
    {                                                                                              \
        .rule = (id), .target = (document), __VA_ARGS__                                            \
    }

/* The same; the row lies as near to the rule's limit as can be, on the one or the other side. */
#define JUST_FIRES FIRES
#define JUST_QUIET QUIET

#define SERVERS(...) "{'pools':{'p':{'servers':{" __VA_ARGS__ "}}}}"
#define POOL(body)   "{'pools':{'p':{" body "}}}"
#define THREE                                                                                      \
    "'servers':{'a':{'address':'10.0.0.1:80'},'b':{'address':'10.0.0.2:80'},'c':{'address':'10.0." \
    "0.3:80'}}"
#define TWO              "'servers':{'a':{'address':'10.0.0.1:80'},'b':{'address':'10.0.0.2:80'}}"
#define SERVER(n, extra) "'" n "':{'address':'10.0.0." n ":80'" extra "}"

/* Gives what files hold, where a family of rules needs it; NULL: they are not read. */
static contents_read_fn *case_files;

struct loaded_case {
    struct arena *arena;
    struct findings findings;
    struct configuration *base;
    struct configuration *target;
};

static inline struct configuration *load_case(const char *document, struct findings *findings)
{
    struct configuration *conf = config_of_text_found(document, findings);

    if (case_files != NULL)
        (void)contents_fill(conf, case_files, NULL, findings);
    return conf;
}

/* Only what the detectors find is in `findings` afterwards. */
static inline void run_case(struct loaded_case *loaded, const struct detect_case *one)
{
    struct detect_subject subject = one->with;

    loaded->arena = arena_new(4096);
    findings_init(&loaded->findings, loaded->arena);
    loaded->target = load_case(one->target, &loaded->findings);
    loaded->base = one->base != NULL ? load_case(one->base, &loaded->findings) : NULL;
    loaded->findings.count = 0;
    subject.target = loaded->target;
    subject.base = loaded->base;
    detect_run(&subject, &loaded->findings);
}

static inline void end_case(struct loaded_case *loaded)
{
    config_free(&loaded->base);
    config_free(&loaded->target);
    findings_fini(&loaded->findings);
    arena_free(&loaded->arena);
}

static inline void show_case(const struct detect_case *one, const struct findings *findings)
{
    char line[2048];

    print_message("%s, %s:\n", one->rule, one->target);
    for (size_t i = 0; i < findings->count; i++) {
        finding_text(&findings->items[i], line, sizeof(line));
        print_message("    %s [%s %s]\n", line, finding_severity_word(findings->items[i].severity),
                      findings->items[i].rule);
    }
}

static inline bool is_expected(const struct detect_case *one, const struct finding *finding)
{
    return one->pointer != NULL && strcmp(finding->pointer, one->pointer) == 0 &&
           strstr(finding->message, one->says) != NULL && finding->severity == one->severity;
}

/* The rule finds what the row says, once, and nothing besides. */
static inline void check_case(const struct detect_case *one)
{
    struct loaded_case loaded;
    size_t found = 0;
    size_t expected = 0;

    run_case(&loaded, one);
    for (size_t i = 0; i < loaded.findings.count; i++) {
        const struct finding *finding = &loaded.findings.items[i];

        if (strcmp(finding->rule, one->rule) != 0)
            continue;
        found++;
        expected += is_expected(one, finding);
    }
    if (found != expected || expected != (one->pointer != NULL)) {
        show_case(one, &loaded.findings);
        fail_msg("%s: wanted %s \"%s\"", one->rule, one->pointer != NULL ? one->pointer : "nothing",
                 one->pointer != NULL ? one->says : "");
    }
    end_case(&loaded);
}

static inline void check_cases(const struct detect_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_case(&cases[i]);
}
