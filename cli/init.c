/*
 * init - `twokey init DIR`: a starter configuration, commented, with people or without.
 *
 * Never overwrites: a directory that has a configuration already is left alone.
 *
 * Owner    main()      Threads  the first
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/documents.h"
#include "cli/token.h"
#include "config/text.h"
#include "tls/self_signed.h"

static const char help[] =
    "usage: twokey init [--people NAME,NAME[,...]] [--self-signed] DIR\n"
    "\n"
    "Writes a starter configuration into DIR, which is made if it is not there: one listener, one\n"
    "pool of two servers with health checks, one route. A directory that has *.json files already\n"
    "is left as it is.\n"
    "\n"
    "  --people NAMES  two or more people, with commas between them. The configuration is then in\n"
    "                  mode enforced: nobody changes it alone. Each gets a token, shown once, and\n"
    "                  may do everything that two keys allow: author, operator, approver, admin,\n"
    "                  auditor, breakglass. Without it, mode off: whoever writes DIR decides.\n"
    "\n"
    "  --self-signed   TLS on a second listener, with a certificate for localhost that no browser\n"
    "                  believes before it is told to: for trying out. Clear text is then sent "
    "there\n"
    "                  (308), and HSTS tells browsers to stay.\n"
    "\n"
    "exit code: 0 written, 2 not possible\n";

enum { SELF_SIGNED_DAYS = 90 };
enum { PEOPLE_MIN = 2, PEOPLE_MAX = 50 };

struct person {
    char name[TEXT_NAME_MAX + 1];
    struct token token;
};

struct people {
    struct person items[PEOPLE_MAX];
    size_t count;
};

struct starter {
    const char *name;
    const char *content;
};

/* What a starter with TLS has in place of, or besides, the others. */
static const struct starter tls_starters[] = {
    {"10-listeners.json",
     "{\n"
     "  \"listeners\": {\n"
     "    \"// web\": \"clear text; the route to-https sends everyone to the other one\",\n"
     "    \"web\": { \"address\": \"127.0.0.1:8080\" },\n"
     "    \"websecure\": { \"address\": \"127.0.0.1:8443\", \"tls\": { \"certificates\": "
     "[\"localhost\"] } }\n"
     "  }\n"
     "}\n"},
    {"40-routes.json",
     "{\n"
     "  \"routes\": {\n"
     "    \"to-https\": { \"scheme\": \"http\", \"priority\": 1, \"redirect\": { \"location\": "
     "\"https://{host}:8443{uri}\", \"status\": 308 } },\n"
     "\n"
     "    \"// everything\": \"browsers stay with https for max-age seconds: "
     "make it 63072000 when all of the "
     "site is served so\",\n"
     "    \"everything\": { \"pool\": \"app\",\n"
     "      \"response_headers\": { \"set\": { \"strict-transport-security\": "
     "\"max-age=300\" } } }\n"
     "  }\n"
     "}\n"},
};

static const struct starter starters[] = {
    {"00-process.json",
     "{\n"
     "  \"// process\": \"workers: one a core. At max_connections accepting pauses.\",\n"
     "  \"process\": { \"workers\": \"auto\", \"max_connections\": 20000 },\n"
     "\n"
     "  \"// admin\": \"health, metrics, status, changes; a loopback address\",\n"
     "  \"admin\": { \"listen\": \"127.0.0.1:9901\" }\n"
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

enum {
    STARTERS = sizeof(starters) / sizeof(starters[0]),
    TLS_STARTERS = sizeof(tls_starters) / sizeof(tls_starters[0]),
};

static const char *content_of(const struct starter *starter, bool has_tls)
{
    for (size_t i = 0; i < TLS_STARTERS && has_tls; i++)
        if (strcmp(tls_starters[i].name, starter->name) == 0)
            return tls_starters[i].content;
    return starter->content;
}

static bool write_as(const char *directory, const char *name, const char *content, mode_t mode)
{
    char path[4096];
    size_t len = strlen(content);
    bool is_written;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    is_written = fd >= 0 && write(fd, content, len) == (ssize_t)len;
    if (fd >= 0 && close(fd) != 0)
        is_written = false;
    if (!is_written)
        (void)fprintf(stderr, "twokey init: %s: %s\n", path, strerror(errno));
    else
        printf("%s\n", path);
    return is_written;
}

static bool write_one(const char *directory, const char *name, const char *content)
{
    return write_as(directory, name, content, 0644);
}

/* ---- the certificate ---- */

static bool write_certificate_section(const char *directory)
{
    char real[PATH_MAX];
    struct buffer content;
    bool is_written;

    if (realpath(directory, real) == NULL || strpbrk(real, "\"\\") != NULL) {
        (void)fprintf(stderr, "twokey init: %s: no path that a document could hold\n", directory);
        return false;
    }
    buffer_init(&content);
    buffer_printf(&content,
                  "{\n"
                  "  \"certificates\": {\n"
                  "    \"localhost\": { \"cert_file\": \"%s/localhost.pem\", \"key_file\": "
                  "\"%s/localhost.key\" }\n"
                  "  }\n"
                  "}\n",
                  real, real);
    is_written = write_one(directory, "20-certificates.json", buffer_text(&content));
    buffer_fini(&content);
    return is_written;
}

static bool write_certificate(const char *directory)
{
    struct tls_self_signed made = {0};
    struct error why = {0};
    bool is_written;

    if (!tls_self_signed_make(SELF_SIGNED_DAYS, &made, &why)) {
        (void)fprintf(stderr, "twokey init: %s\n", why.text);
        return false;
    }
    is_written = write_as(directory, "localhost.key", made.key, 0600) &&
                 write_one(directory, "localhost.pem", made.certificate) &&
                 write_certificate_section(directory);
    tls_self_signed_free(&made);
    return is_written;
}

/* ---- people and policy ---- */

static const char open_policy[] = "{\n"
                                  "  \"// policy\": \"off: a reload takes what these files say, "
                                  "and nobody is asked; `twokey init "
                                  "--people` shows how two keys look\",\n"
                                  "  \"policy\": { \"mode\": \"off\" }\n"
                                  "}\n";

static void append_people(const struct people *people, struct buffer *out)
{
    buffer_append_literal(
        out, "  \"// people\": \"hashes of tokens; `twokey token NAME` makes another one\",\n"
             "  \"people\": {\n");
    for (size_t i = 0; i < people->count; i++)
        buffer_printf(out,
                      "    \"%s\": {\n"
                      "      \"roles\": [\"author\", \"operator\", \"approver\", \"admin\", "
                      "\"auditor\", \"breakglass\"],\n"
                      "      \"tokens\": [{ \"id\": \"first\", \"hash\": \"%s\" }]\n"
                      "    }%s\n",
                      people->items[i].name, people->items[i].token.hash,
                      i + 1 < people->count ? "," : "");
    buffer_append_literal(out, "  },\n\n");
}

/* No more approvals than there are others to give them. */
static void append_policy(const struct people *people, struct buffer *out)
{
    buffer_printf(out,
                  "  \"// policy\": \"enforced: these files are imported once; after that, what "
                  "others approved runs\",\n"
                  "  \"policy\": {\n"
                  "    \"mode\": \"enforced\",\n"
                  "    \"approvals\": { \"normal\": 1, \"high\": %d }\n"
                  "  }\n",
                  people->count > 2 ? 2 : 1);
}

static bool write_people(const char *directory, const struct people *people)
{
    struct buffer content;
    bool is_written;

    if (people->count == 0)
        return write_one(directory, "05-policy.json", open_policy);
    buffer_init(&content);
    buffer_append_literal(&content, "{\n");
    append_people(people, &content);
    append_policy(people, &content);
    buffer_append_literal(&content, "}\n");
    is_written = write_one(directory, "05-people.json", buffer_text(&content));
    buffer_fini(&content);
    return is_written;
}

static bool write_documents(const char *directory, const struct people *people, bool has_tls)
{
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        (void)fprintf(stderr, "twokey init: %s: %s\n", directory, strerror(errno));
        return false;
    }
    if (documents_are_in(directory)) {
        (void)fprintf(stderr, "twokey init: %s has *.json files already; they stay as they are\n",
                      directory);
        return false;
    }
    for (size_t i = 0; i < STARTERS; i++)
        if (!write_one(directory, starters[i].name, content_of(&starters[i], has_tls)))
            return false;
    if (has_tls && !write_certificate(directory))
        return false;
    return write_people(directory, people);
}

static void print_tokens(const struct people *people)
{
    if (people->count == 0)
        return;
    printf("\nTokens, shown this once; give each to its person:\n");
    for (size_t i = 0; i < people->count; i++)
        printf("  %-12s %s\n", people->items[i].name, people->items[i].token.text);
    if (people->count == 2)
        printf("With two people, one absence stops every change: a third is wise.\n");
}

static int write_starter(const char *directory, const struct people *people, bool has_tls)
{
    if (!write_documents(directory, people, has_tls))
        return EXIT_TROUBLE;
    print_tokens(people);
    printf("\nNext: put your servers into %s/30-pools.json, then\n"
           "  twokey check --config %s\n"
           "  twokey serve --config %s%s\n",
           directory, directory, directory, people->count > 0 ? " --first-start" : "");
    if (has_tls)
        printf("  curl --cacert %s/localhost.pem https://localhost:8443/\n", directory);
    return EXIT_DONE;
}

/* ---- who ---- */

static bool refuse_people(const char *name, const char *what)
{
    (void)fprintf(stderr, "twokey init: --people: %s%s%s\n", name, name[0] != '\0' ? " " : "",
                  what);
    return false;
}

static bool add_person(struct people *people, const char *name)
{
    struct person *person = &people->items[people->count];
    struct error why = {0};

    if (people->count == PEOPLE_MAX)
        return refuse_people("", "at most 50 people; more come by changes");
    if (!text_is_name(name))
        return refuse_people(name, "is not a name (a-z, 0-9 and \"-\", 1 to 63 of them)");
    if (strcmp(name, "local") == 0 || strcmp(name, "system") == 0 || strcmp(name, "nobody") == 0)
        return refuse_people(name, "is what the audit calls somebody else");
    for (size_t i = 0; i < people->count; i++)
        if (strcmp(people->items[i].name, name) == 0)
            return refuse_people(name, "is there twice");
    (void)snprintf(person->name, sizeof(person->name), "%s", name);
    if (!token_make(name, &person->token, &why))
        return refuse_people("", why.text);
    people->count++;
    return true;
}

static bool read_people(struct people *people, char *names)
{
    char *rest = names;
    char *name;

    while ((name = strsep(&rest, ",")) != NULL)
        if (!add_person(people, name))
            return false;
    if (people->count < PEOPLE_MIN)
        return refuse_people("", "two keys need at least two people: --people ann,bob");
    return true;
}

static int init(char *names, const char *directory, bool has_tls)
{
    struct people people = {.count = 0};
    int code = EXIT_TROUBLE;

    if (names == NULL || read_people(&people, names))
        code = write_starter(directory, &people, has_tls);
    explicit_bzero(&people, sizeof(people));
    return code;
}

int cli_init(int argc, char **argv)
{
    static const struct option options[] = {
        {"people", required_argument, NULL, 'p'},
        {"self-signed", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    char *names = NULL;
    bool has_tls = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'p': names = optarg; break;
        case 's': has_tls = true; break;
        case 'h': (void)fputs(help, stdout); return EXIT_DONE;
        default: (void)fputs(help, stderr); return EXIT_TROUBLE;
        }
    }
    if (optind != argc - 1) {
        (void)fputs(help, stderr);
        return EXIT_TROUBLE;
    }
    return init(names, argv[optind], has_tls);
}
