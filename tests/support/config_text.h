/*
 * config_text - a configuration from a text of a test, in which ' may stand for "; what is wrong
 * with it is printed, and ends the test.
 */
#ifndef TESTS_SUPPORT_CONFIG_TEXT_H
#define TESTS_SUPPORT_CONFIG_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/slice.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"

static inline struct configuration *config_of_text_found(const char *document,
                                                         struct findings *findings)
{
    const char *name = "conf.d/a.json";
    char *text = arena_strdup(findings->arena, document);
    struct slice bytes;
    struct configuration *conf;
    char line[2048];

    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    bytes = slice_from(text);
    conf = config_load_documents(&name, &bytes, 1, findings);
    for (size_t i = 0; conf == NULL && i < findings->count; i++) {
        finding_text(&findings->items[i], line, sizeof(line));
        print_message("%s\n", line);
    }
    assert_non_null(conf);
    return conf;
}

static inline struct configuration *config_of_text(const char *document, struct arena *arena)
{
    struct findings findings;
    struct configuration *conf;

    findings_init(&findings, arena);
    conf = config_of_text_found(document, &findings);
    findings_fini(&findings);
    return conf;
}

#endif
