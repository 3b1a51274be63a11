/*
 * main - the table of subcommands.
 *
 * Owner    nobody      Threads  the first
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help; /* NULL: for developers, not listed */
};

static const struct subcommand subcommands[] = {
    {"serve", cli_serve, "run the proxy"},
    {"check", cli_check, "is a configuration good, and all that is wrong with it"},
    {"init", cli_init, "write a starter configuration"},
    {"audit", cli_audit, "verify the chain of audit records: `twokey audit verify`"},
    {"token", cli_token, "make a token for somebody"},
    {"status", cli_status, "what runs and how it does"},
    {"pools", cli_pools, "pools and servers: state, health, shares"},
    {"changes", cli_changes, "what is proposed, and where it stands"},
    {"show", cli_show, "one change, what it changes, what it would do"},
    {"submit", cli_submit, "propose a change and ask for approvals"},
    {"approve", cli_approve, "look at a change and approve exactly that"},
    {"veto", cli_veto, "look at a change and reject it"},
    {"withdraw", cli_withdraw, "give a change up"},
    {"apply", cli_apply, "put an approved change into force"},
    {"confirm", cli_confirm, "what was applied stays"},
    {"cancel", cli_cancel, "take back what waits for its confirmation"},
    {"rollback", cli_rollback, "an older configuration runs again"},
    {"drain", cli_drain, "a server gets no new requests"},
    {"maint", cli_maint, "a server gets no requests at all"},
    {"ready", cli_ready, "a server takes part again"},
    {"diff", cli_diff, "what differs between two directories"},
    {"impact", cli_impact, "what a candidate would do to traffic, without a server"},
    {"export", cli_export, "write what runs as documents"},
    {"drill", cli_drill, "an outage on this machine, to practise on"},
    {"version", cli_version, "which version this is"},
    {"reference", cli_reference, NULL},
};

enum { SUBCOMMANDS = sizeof(subcommands) / sizeof(subcommands[0]) };

int cli_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("twokey " TWOKEY_VERSION);
    return EXIT_DONE;
}

static void print_help(FILE *out)
{
    (void)fputs("usage: twokey COMMAND [OPTIONS]\n\n", out);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        if (subcommands[i].help != NULL)
            (void)fprintf(out, "  %-10s %s\n", subcommands[i].name, subcommands[i].help);
    (void)fputs(
        "\n`twokey COMMAND --help` says more.\n"
        "exit codes: 0 done, 1 findings, or refused by the admin API, 2 could not be done\n",
        out);
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_TROUBLE;
    }
    if (is_one_of(argv[1], "help", "--help", "-h")) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (is_one_of(argv[1], "version", "--version", "-V"))
        return cli_version(argc - 1, argv + 1);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    (void)fprintf(stderr, "twokey: there is no command \"%s\" (twokey --help lists them)\n",
                  argv[1]);
    return EXIT_TROUBLE;
}
