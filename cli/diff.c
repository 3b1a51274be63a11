/*
 * diff - `twokey diff A B`: what differs between two configurations, in words; without a server.
 *
 * Owner    main()      Threads  the first
 */
#include "config/diff.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/documents.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"

enum { ARENA_BLOCK = 16 * 1024 };

static const char help[] =
    "usage: twokey diff A B [--format text|json]\n"
    "\n"
    "What differs between the configurations of two directories, by what it means: defaults are\n"
    "filled in, order and comments do not count. No server is needed.\n"
    "\n"
    "  --format FORM  text (default) or json\n"
    "\n"
    "exit code: 0 nothing differs, 1 something does, 2 one of them cannot be read or does not "
    "build\n";

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static void print_json(const struct differences *differences)
{
    static const char *const kinds[] = {[DIFFERENCE_ADDED] = "add",
                                        [DIFFERENCE_REMOVED] = "remove",
                                        [DIFFERENCE_CHANGED] = "change"};
    json_t *list = json_array();
    char *text;

    for (size_t i = 0; i < differences->count; i++) {
        const struct difference *item = &differences->items[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:s}", "op", kinds[item->kind],
                                              "pointer", item->pointer, "before",
                                              text_or_null(item->before), "after",
                                              text_or_null(item->after), "text", item->text));
    }
    text = json_dumps(list, JSON_INDENT(2));
    if (text != NULL)
        puts(text);
    xfree(text);
    json_decref(list);
}

static int compare(const char *a, const char *b, bool as_json)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct configuration *before = documents_load("twokey diff", a, arena);
    struct configuration *after = documents_load("twokey diff", b, arena);
    struct differences differences;
    int code = EXIT_TROUBLE;

    if (before != NULL && after != NULL) {
        config_diff(before, after, arena, &differences);
        code = differences.count > 0 ? EXIT_FINDINGS : EXIT_DONE;
        for (size_t i = 0; !as_json && i < differences.count; i++)
            puts(differences.items[i].text);
        if (as_json)
            print_json(&differences);
        differences_fini(&differences);
    }
    config_free(&before);
    config_free(&after);
    arena_free(&arena);
    return code;
}

int cli_diff(int argc, char **argv)
{
    static const struct option options[] = {
        {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool as_json = false;
    int option;

    while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
        bool is_text = option == 'f' && strcmp(optarg, "text") == 0;

        if (option == 'h') {
            (void)fputs(help, stdout);
            return EXIT_DONE;
        }
        as_json = option == 'f' && strcmp(optarg, "json") == 0;
        if (!as_json && !is_text) {
            (void)fputs(help, stderr);
            return EXIT_TROUBLE;
        }
    }
    if (optind != argc - 2) {
        (void)fputs(help, stderr);
        return EXIT_TROUBLE;
    }
    return compare(argv[optind], argv[optind + 1], as_json);
}
