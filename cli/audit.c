/*
 * audit - `twokey audit verify`: has anybody changed, removed or added a record of what was done?
 * `twokey audit report`: how are approvals given?
 *
 * Owner    main()      Threads  the first
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/audit_check.h"
#include "change/audit_habits.h"
#include "cli/cli.h"

enum { TOLD_MAX = 50, DAYS_MAX = 3660, DAY_MS = 24 * 3600 * 1000 };

static const char help[] =
    "usage: twokey audit verify FILE... [--head HEAD]\n"
    "       twokey audit verify DIR [--head HEAD]\n"
    "       twokey audit report FILE... [--days N]\n"
    "\n"
    "verify:\n"
    "Follows the chain of audit records and says which one is damaged, missing or inserted.\n"
    "FILE is an audit.jsonl; several (rotated ones first) are read as one chain.  DIR is a state\n"
    "directory: the records in its database are followed, audit.jsonl is compared with them, and\n"
    "every revision is held against its digest and against what was approved.  It may be in use,\n"
    "and nothing is changed in it.\n"
    "\n"
    "  --head HEAD  NUMBER:HASH of a record, or HASH alone, kept elsewhere (GET /v1/audit/head):\n"
    "               a chain whose end was cut off is still a chain, only this tells\n"
    "\n"
    "report:\n"
    "How approvals were given in the last days: how quickly, which within 10 s, and who approves\n"
    "whose changes.  FILE is an audit.jsonl; for a mail each week.\n"
    "\n"
    "  --days N     so many days back (7)\n"
    "\n"
    "exit code: 0 all is as it was written, 1 something is not, 2 it cannot be read\n";

/* ---- what is said ---- */

static void print_problem(void *context, const char *place, const char *text)
{
    unsigned *told = context;

    if ((*told)++ < TOLD_MAX)
        printf("%s: %s\n", place, text);
}

static void print_summary(const struct chain *chain, const char *what)
{
    char text[DIGEST_TEXT];

    if (chain->report->problems > TOLD_MAX)
        printf("… and %u more\n", chain->report->problems - TOLD_MAX);
    if (chain->report->problems > 0)
        printf("%s: %u wrong, %llu records in order\n", what, chain->report->problems,
               (unsigned long long)chain->count);
    else if (chain->count > 0)
        printf("%s: good; records %llu to %llu; head %llu:%s\n", what,
               (unsigned long long)chain->first, (unsigned long long)chain->verifier.next_seq - 1,
               (unsigned long long)chain->verifier.next_seq - 1,
               digest_text(&chain->verifier.hash, text) + strlen("sha256:"));
    else
        printf("%s: no records\n", what);
}

/* ---- the command ---- */

static bool parse_head(const char *text, struct chain *chain)
{
    const char *colon = strrchr(text, ':');
    const char *hash = colon != NULL ? colon + 1 : text;
    struct slice number = slice_of(text, colon != NULL ? (size_t)(colon - text) : 0);

    if (!digest_parse_hex(slice_from(hash), &chain->wanted.hash))
        return false;
    chain->has_wanted_hash = true;
    if (number.len == 0 || slice_equal(number, SLICE("sha256")))
        return true;
    chain->has_wanted_seq = slice_to_u64(number, &chain->wanted.seq);
    return chain->has_wanted_seq;
}

static int verify(char **paths, int count, struct chain *chain)
{
    struct audit_report *report = chain->report;
    struct stat status;

    for (int i = 0; i < count; i++) {
        if (stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            if (count > 1) {
                (void)fprintf(stderr, "twokey audit: %s: a directory is verified by itself\n",
                              paths[i]);
                return EXIT_TROUBLE;
            }
            audit_check_state(paths[i], chain);
        } else {
            audit_check_file(paths[i], chain);
        }
    }
    if (report->unreadable->code != ERROR_NONE) {
        (void)fprintf(stderr, "twokey audit: %s\n", report->unreadable->text);
        return EXIT_TROUBLE;
    }
    if (chain->count == 0 && report->problems == 0)
        audit_problem(report, paths[0], "there is no record in it: every chain has a record 0");
    chain_end(chain, paths[count - 1]);
    print_summary(chain, count == 1 ? paths[0] : "all files");
    return report->problems > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

static int report_habits(char **paths, int count, uint64_t days)
{
    int64_t now_ms = clock_wall_ms();
    struct audit_habits *habits = audit_habits_new(now_ms - (int64_t)days * DAY_MS, now_ms + 1000);
    int code = EXIT_DONE;

    for (int i = 0; i < count && code == EXIT_DONE; i++) {
        struct line_reader reader = {.file = fopen(paths[i], "re")};
        struct slice line;
        bool is_torn;

        if (reader.file == NULL) {
            (void)fprintf(stderr, "twokey audit: %s: %s\n", paths[i], strerror(errno));
            code = EXIT_TROUBLE;
            continue;
        }
        while (line_next(&reader, &line, &is_torn))
            audit_habits_take(habits, line);
        if (ferror(reader.file)) {
            (void)fprintf(stderr, "twokey audit: %s: it cannot be read (a directory?)\n", paths[i]);
            code = EXIT_TROUBLE;
        }
        (void)fclose(reader.file);
        xfree(reader.line);
    }
    if (code == EXIT_DONE)
        audit_habits_print(habits, stdout);
    audit_habits_free(&habits);
    return code;
}

int cli_audit(int argc, char **argv)
{
    static const struct option options[] = {
        {"head", required_argument, NULL, 'H'},
        {"days", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct error unreadable = {0};
    unsigned told = 0;
    uint64_t days = 7;
    struct audit_report report = {print_problem, &told, 0, &unreadable};
    struct chain *chain = xcalloc(1, sizeof(*chain));
    int code = EXIT_TROUBLE;
    bool is_asked = true;
    int option;

    chain->report = &report;
    while (is_asked && (option = getopt_long(argc, argv, "H:d:h", options, NULL)) != -1) {
        if (option == 'H' && parse_head(optarg, chain))
            continue;
        if (option == 'd' && slice_to_u64(slice_from(optarg), &days) && days >= 1 &&
            days <= DAYS_MAX)
            continue;
        is_asked = false;
        if (option == 'h')
            code = EXIT_DONE;
        if (option == 'H')
            (void)fprintf(stderr, "twokey audit: --head: %s is no NUMBER:HASH\n", optarg);
        else if (option == 'd')
            (void)fprintf(stderr, "twokey audit: --days: %s is no number of days (1 to %d)\n",
                          optarg, DAYS_MAX);
        else
            (void)fputs(help, option == 'h' ? stdout : stderr);
    }
    if (is_asked && argc - optind >= 2 && strcmp(argv[optind], "report") == 0)
        code = report_habits(argv + optind + 1, argc - optind - 1, days);
    else if (is_asked && (argc - optind < 2 || strcmp(argv[optind], "verify") != 0))
        (void)fputs(help, stderr);
    else if (is_asked)
        code = verify(argv + optind + 1, argc - optind - 1, chain);
    xfree(chain);
    return code;
}
