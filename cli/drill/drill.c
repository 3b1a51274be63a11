/*
 * drill - `twokey drill NAME`: an outage on loopback, to practise on.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/drill/drill.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/drill/play.h"

enum { LIMIT_S = 9 * 60, AUTO_LIMIT_S = 120, MOST_LIMIT_S = 3600, MOST_PORT = 65530 };

static const char help[] =
    "usage: twokey drill NAME [--auto] [--port N] [--limit SECONDS] [--keep]\n"
    "       twokey drill NAME --commands\n"
    "       twokey drill --list\n"
    "\n"
    "An outage to practise on. Starts four small servers, a proxy and load on loopback, in a "
    "scratch\n"
    "folder; breaks something as a real outage did; says what the person on call is told; and "
    "scores\n"
    "how it is found and mended: how soon somebody looked at the right thing, how soon it was "
    "well,\n"
    "how many requests failed meanwhile, which steps were wrong. Everything ends with it.\n"
    "\n"
    "  --list           the drills there are\n"
    "  --auto           the commands of the runbook mend it, not a person (needs curl and jq)\n"
    "  --commands       print those commands, and start nothing\n"
    "  --port N         N to N+5 instead of 9901 (admin), 8080 or 8443 (clients), 9001 to 9004;\n"
    "                   0: any free ones\n"
    "  --limit SECONDS  give up after so many (540; with --auto 120)\n"
    "  --keep           leave the scratch folder, with the proxy's log and state, and say where\n"
    "\n"
    "exit code: 0 fixed, 1 not fixed, 2 it could not be played\n";

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},       {"list", no_argument, NULL, 'l'},
    {"auto", no_argument, NULL, 'a'},       {"commands", no_argument, NULL, 'c'},
    {"port", required_argument, NULL, 'p'}, {"limit", required_argument, NULL, 's'},
    {"keep", no_argument, NULL, 'k'},       {NULL, 0, NULL, 0},
};

struct wish {
    struct play_options options;
    bool is_help, is_list, is_commands;
};

/* False: told. */
static bool take_number(const char *option, const char *text, unsigned least, unsigned most,
                        unsigned *out)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && value >= least && value <= most) {
        *out = (unsigned)value;
        return true;
    }
    (void)fprintf(stderr, "twokey drill: --%s %s: must be a number from %u to %u\n", option, text,
                  least, most);
    return false;
}

static bool take_option(struct wish *wish, int letter)
{
    unsigned port;

    switch (letter) {
    case 'h': wish->is_help = true; return true;
    case 'l': wish->is_list = true; return true;
    case 'a': wish->options.is_auto = true; return true;
    case 'c': wish->is_commands = true; return true;
    case 'k': wish->options.is_kept = true; return true;
    case 's': return take_number("limit", optarg, 1, MOST_LIMIT_S, &wish->options.limit_s);
    case 'p':
        if (!take_number("port", optarg, 0, MOST_PORT, &port))
            return false;
        wish->options.port = (uint16_t)port;
        wish->options.has_port = true;
        return true;
    default: (void)fputs(help, stderr); return false;
    }
}

static void list(FILE *out)
{
    for (unsigned i = 0; i < drill_count; i++)
        (void)fprintf(out, "%-20s %s\n", drills[i].name, drills[i].title);
}

/* NULL: told. */
static const struct drill *find(int argc, char **argv)
{
    if (optind != argc - 1) {
        (void)fputs(help, stderr);
        return NULL;
    }
    for (unsigned i = 0; i < drill_count; i++)
        if (strcmp(drills[i].name, argv[optind]) == 0)
            return &drills[i];
    (void)fprintf(stderr, "twokey drill: there is no drill \"%s\"; there are:\n", argv[optind]);
    list(stderr);
    return NULL;
}

int cli_drill(int argc, char **argv)
{
    struct wish wish = {0};
    const struct drill *drill;
    int letter;

    while ((letter = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
        if (!take_option(&wish, letter))
            return EXIT_TROUBLE;
    if (wish.is_help || wish.is_list) {
        if (wish.is_help)
            (void)fputs(help, stdout);
        else
            list(stdout);
        return EXIT_DONE;
    }
    drill = find(argc, argv);
    if (drill == NULL)
        return EXIT_TROUBLE;
    if (wish.is_commands) {
        play_show_commands(drill);
        return EXIT_DONE;
    }
    if (wish.options.limit_s == 0)
        wish.options.limit_s = wish.options.is_auto ? AUTO_LIMIT_S : LIMIT_S;
    return play_drill(drill, &wish.options);
}
