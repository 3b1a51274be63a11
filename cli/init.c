/*
 * init - `twokey init DIR`: a starter configuration, commented.
 *
 * Never overwrites: a directory that has a configuration already is left alone.
 *
 * Owner    main()      Threads  the first
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static const char help[] =
    "usage: twokey init DIR\n"
    "\n"
    "Writes a starter configuration into DIR, which is made if it is not there: one listener, one\n"
    "pool of two servers with health checks, one route. A directory that has *.json files already\n"
    "is left as it is.\n"
    "\n"
    "exit code: 0 written, 2 not possible\n";

struct starter {
    const char *name;
    const char *content;
};

static const struct starter starters[] = {
    {"00-process.json",
     "{\n"
     "  \"// process\": \"workers: one a core. At max_connections accepting pauses.\",\n"
     "  \"process\": { \"workers\": \"auto\", \"max_connections\": 20000 },\n"
     "\n"
     "  \"// admin\": \"health, metrics and status; a loopback address\",\n"
     "  \"admin\": { \"listen\": \"127.0.0.1:9901\" },\n"
     "\n"
     "  \"// policy\": \"advisory: SIGHUP takes up what these files say\",\n"
     "  \"policy\": { \"mode\": \"advisory\" }\n"
     "}\n"},
    {"10-listeners.json",
     "{\n"
     "  \"listeners\": {\n"
     "    \"web\": {\n"
     "      \"// address\": \"0.0.0.0:8080 and [::]:8080 serve the network, 127.0.0.1 this machine "
     "alone\",\n"
     "      \"address\": \"127.0.0.1:8080\",\n"
     "\n"
     "      \"// trusted_proxies\": \"whose X-Forwarded-For is believed: proxies in front of this "
     "one, nobody else\",\n"
     "      \"trusted_proxies\": []\n"
     "    }\n"
     "  }\n"
     "}\n"},
    {"30-pools.json",
     "{\n"
     "  \"pools\": {\n"
     "    \"app\": {\n"
     "      \"balance\": \"round_robin\",\n"
     "\n"
     "      \"// servers\": \"put yours here: IP:port, name:port or unix:/path\",\n"
     "      \"servers\": {\n"
     "        \"s1\": { \"address\": \"127.0.0.1:9001\" },\n"
     "        \"s2\": { \"address\": \"127.0.0.1:9002\" }\n"
     "      },\n"
     "\n"
     "      \"// health_check\": \"down after fall failures, up after rise successes\",\n"
     "      \"health_check\": { \"path\": \"/\", \"interval\": \"5s\", \"timeout\": \"2s\", "
     "\"fall\": "
     "3, \"rise\": 2 }\n"
     "    }\n"
     "  }\n"
     "}\n"},
    {"40-routes.json",
     "{\n"
     "  \"routes\": {\n"
     "    \"// order\": \"the most specific route wins, wherever it stands; add hosts, path_prefix "
     "or methods to narrow one\",\n"
     "    \"everything\": { \"pool\": \"app\" }\n"
     "  }\n"
     "}\n"},
    {"50-observe.json", "{\n"
                        "  \"// access_log\": \"one JSON object a request; off writes none\",\n"
                        "  \"observe\": { \"access_log\": { \"path\": \"stdout\" } }\n"
                        "}\n"},
};

enum { STARTERS = sizeof(starters) / sizeof(starters[0]) };

static bool has_documents(const char *directory)
{
    DIR *open_directory = opendir(directory);
    struct dirent *entry;
    bool found = false;

    if (open_directory == NULL)
        return false;
    while ((entry = readdir(open_directory)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');

        found = found || (dot != NULL && strcmp(dot, ".json") == 0);
    }
    (void)closedir(open_directory);
    return found;
}

static bool write_one(const char *directory, const struct starter *starter)
{
    char path[4096];
    size_t len = strlen(starter->content);
    bool is_written;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, starter->name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    is_written = fd >= 0 && write(fd, starter->content, len) == (ssize_t)len;
    if (fd >= 0 && close(fd) != 0)
        is_written = false;
    if (!is_written)
        (void)fprintf(stderr, "twokey init: %s: %s\n", path, strerror(errno));
    else
        printf("%s\n", path);
    return is_written;
}

static int write_starter(const char *directory)
{
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        (void)fprintf(stderr, "twokey init: %s: %s\n", directory, strerror(errno));
        return EXIT_TROUBLE;
    }
    if (has_documents(directory)) {
        (void)fprintf(stderr, "twokey init: %s has *.json files already; they stay as they are\n",
                      directory);
        return EXIT_TROUBLE;
    }
    for (size_t i = 0; i < STARTERS; i++)
        if (!write_one(directory, &starters[i]))
            return EXIT_TROUBLE;
    printf("\nNext: put your servers into %s/30-pools.json, then\n"
           "  twokey check --config %s\n"
           "  twokey serve --config %s\n",
           directory, directory, directory);
    return EXIT_DONE;
}

static int not_in_this_version(const char *option, const char *what)
{
    (void)fprintf(stderr, "twokey init: %s is not in this version: %s\n", option, what);
    return EXIT_TROUBLE;
}

int cli_init(int argc, char **argv)
{
    static const struct option options[] = {
        {"people", required_argument, NULL, 'p'},
        {"self-signed", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            return not_in_this_version("--people", "its admin API has no tokens and no approvals");
        case 's': return not_in_this_version("--self-signed", "it does not speak TLS");
        case 'h': (void)fputs(help, stdout); return EXIT_DONE;
        default: (void)fputs(help, stderr); return EXIT_TROUBLE;
        }
    }
    if (optind != argc - 1) {
        (void)fputs(help, stderr);
        return EXIT_TROUBLE;
    }
    return write_starter(argv[optind]);
}
