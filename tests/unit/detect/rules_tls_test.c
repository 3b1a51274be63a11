/*
 * rules_tls_test - the T rules: each fires there, saying that, and not beside it.  Files are made
 * while the test runs, and valid from BEGIN for 30 days.
 *
 * Threads  the first
 */
#include "tests/unit/detect/cases.h"

#include "base/buffer.h"
#include "tests/unit/tls/certificates.h"

#define BEGIN  INT64_C(1800000000000)
#define DAY    INT64_C(86400000)
#define AT_(t) .with = {.now_ms = (t)}

#define FILES(cert, key) "'certificates':{'c':{'cert_file':'/" cert "','key_file':'/" key "'}}"
#define SHOWN(more)                                                                                \
    "'listeners':{'l':{'address':'127.0.0.1:8443','tls':{'certificates':['c']" more "}}}"
#define CERTIFICATE(cert, key) "{" FILES(cert, key) "}"
#define ROUTE(body)                                                                                \
    "{" FILES("shop.pem",                                                                          \
              "shop.key") "," SHOWN("") ",'routes':{'r':{'respond':{'status':200}" body "}}}"
#define TRUSTS(mode, ca)                                                                           \
    "{" FILES("shop.pem",                                                                          \
              "shop.key") "," SHOWN(",'client_auth':{'mode':'" mode "','ca_file':'/" ca "'}") "}"

#define TWO_LISTENERS(other, route)                                                                \
    "{'certificates':{'c':{'cert_file':'/shop.pem','key_file':'/shop.key'},'d':{'cert_file':'/"    \
    "shop.pem','key_file':'/shop.key'}},'listeners':{'l':{'address':'127.0.0.1:8443','tls':{"      \
    "'certificates':['c']}},'m':{'address':'127.0.0.2:8443'," other "}},'routes':{'r':{"           \
    "'respond':{'status':200}" route "}}}"

#define ADMIN(cert, key, more)                                                                     \
    "{'admin':{'tls':{'cert_file':'/" cert "','key_file':'/" key "'" more "}}}"
#define PEOPLE(ca) ADMIN("shop.pem", "shop.key", ",'client_ca_file':'/" ca "'")

static const struct detect_case cases[] = {
    /* the admin listener's */
    FIRES("T001", ADMIN("shop.pem", "shop.key", ""), "/admin/tls/cert_file", "expired 0 days ago",
          ERROR, AT_(BEGIN + 30 * DAY)),
    QUIET("T001", ADMIN("shop.pem", "shop.key", ""), AT_(BEGIN)),
    FIRES("T002", ADMIN("shop.pem", "ca.key", ""), "/admin/tls",
          "the key belongs to another certificate", BLOCK),
    FIRES("T002", PEOPLE("empty"), "/admin/tls/client_ca_file", "there is no certificate", BLOCK),
    QUIET("T002", PEOPLE("ca.pem")),
    FIRES("T006", PEOPLE("shop.pem"), "/admin/tls/client_ca_file", "with those they can no longer",
          ERROR, .base = PEOPLE("ca.pem")),
    QUIET("T006", PEOPLE("chain.pem"), .base = PEOPLE("ca.pem")),
    QUIET("T006", ADMIN("shop.pem", "shop.key", ""), .base = PEOPLE("ca.pem")),
    /* T001 */
    JUST_FIRES("T001", CERTIFICATE("shop.pem", "shop.key"), "/certificates/c/cert_file",
               "expired 0 days ago", ERROR, AT_(BEGIN + 30 * DAY)),
    FIRES("T001", CERTIFICATE("shop.pem", "shop.key"), "/certificates/c/cert_file",
          "expired 10 days ago", ERROR, AT_(BEGIN + 40 * DAY)),
    JUST_FIRES("T001", CERTIFICATE("shop.pem", "shop.key"), "/certificates/c/cert_file",
               "expires in 13 days", WARNING, AT_(BEGIN + 16 * DAY + 1)),
    JUST_QUIET("T001", CERTIFICATE("shop.pem", "shop.key"), AT_(BEGIN + 16 * DAY)),
    JUST_QUIET("T001", CERTIFICATE("shop.pem", "shop.key"), AT_(BEGIN)),
    JUST_FIRES("T001", CERTIFICATE("shop.pem", "shop.key"), "/certificates/c/cert_file",
               "valid in 1 days only", ERROR, AT_(BEGIN - 1)),
    QUIET("T001", CERTIFICATE("shop.pem", "shop.key")),
    FIRES("T001", CERTIFICATE("chain.pem", "shop.key"), "/certificates/c/cert_file",
          "or one of its chain, expires in 4 days", WARNING, AT_(BEGIN + 16 * DAY)),
    /* T002 */
    JUST_QUIET("T002", CERTIFICATE("shop.pem", "shop.key")),
    QUIET("T002", CERTIFICATE("chain.pem", "shop.key")),
    JUST_FIRES("T002", CERTIFICATE("shop.pem", "ca.key"), "/certificates/c",
               "the key belongs to another certificate", BLOCK),
    FIRES("T002", CERTIFICATE("empty", "shop.key"), "/certificates/c", "there is no certificate",
          BLOCK),
    FIRES("T002", CERTIFICATE("shop.pem", "shop.pem"), "/certificates/c", "there is no private key",
          BLOCK),
    FIRES("T002", CERTIFICATE("weak.pem", "weak.key"), "/certificates/c",
          "it cannot be shown: ee key too small", BLOCK),
    FIRES("T002", CERTIFICATE("unordered.pem", "shop.key"), "/certificates/c/cert_file",
          "its 2 certificates are no chain", WARNING),
    FIRES("T002", CERTIFICATE("away", "shop.key"), "/certificates/c",
          "unknown: its files are read when a change is submitted", INFO),
    /* T003 */
    QUIET("T003", ROUTE("")),
    JUST_QUIET("T003", ROUTE(",'hosts':['shop.example']")),
    JUST_QUIET("T003", ROUTE(",'hosts':['a.wild.example','*.wild.example']")),
    FIRES("T003", ROUTE(",'hosts':['other.example']"), "/routes/r/hosts",
          "other.example arrives at listener l", ERROR),
    JUST_FIRES("T003", ROUTE(",'hosts':['a.b.wild.example']"), "/routes/r/hosts",
               "a.b.wild.example", ERROR),
    QUIET("T003", ROUTE(",'hosts':['other.example'],'scheme':'http'")),
    QUIET("T003", "{" FILES("shop.pem",
                            "shop.key") ",'listeners':{'l':{'address':'127.0.0.1:8443','tls':{"
                                        "'certificates':['c']}},'m':{'address':'127.0.0.1:80'}},"
                                        "'routes':{'r':{'hosts':['other.example'],'listeners':"
                                        "['m'],'respond':{'status':200}}}}"),
    QUIET("T003", "{'certificates':{'c':{'cert_file':'/shop.pem','key_file':'/shop.key','names':["
                  "'other.example']}}," SHOWN("") ",'routes':{'r':{'hosts':['other.example'],"
                                                  "'respond':{'status':200}}}}"),
    /* T004 */
    JUST_FIRES("T004", POOL("'tls':{'verify':false}," TWO), "/pools/p/tls/verify",
               "any certificate will do for its 2 servers", ERROR),
    JUST_QUIET("T004", POOL("'tls':{'verify':true}," TWO)),
    QUIET("T004", POOL("'tls':{}," TWO)),
    QUIET("T004", POOL(TWO)),
    /* T005 */
    JUST_FIRES("T005", TWO_LISTENERS("'tls':{'certificates':['c']}", ",'listeners':['l']"),
               "/listeners/m/tls/certificates",
               "c is shown by listener l too, and route r is for one of the two only", WARNING),
    FIRES("T005", TWO_LISTENERS("'tls':{'certificates':['c']}", ",'listeners':['m']"),
          "/listeners/m/tls/certificates", "route r is for one of the two only", WARNING),
    JUST_QUIET("T005", TWO_LISTENERS("'tls':{'certificates':['c']}", ",'listeners':['l','m']")),
    JUST_QUIET("T005", TWO_LISTENERS("'tls':{'certificates':['c']}", "")),
    JUST_QUIET("T005", TWO_LISTENERS("'tls':{'certificates':['c'],'alpn':['http/1.1']}",
                                     ",'listeners':['l']")),
    QUIET("T005", TWO_LISTENERS("'tls':{'certificates':['d']}", ",'listeners':['l']")),
    JUST_QUIET(
        "T005",
        "{" FILES(
            "shop.pem",
            "shop.key") ",'listeners':{'l':{'address':'127.0.0.1:8443','"
                        "tls':{'certificates':['c']}},'m':{'address':'127.0.0.2:8444','tls':{'"
                        "certificates'"
                        ":['c']}}},'routes':{'r':{'listeners':['l'],'respond':{'status':200}}}}"),
    QUIET("T005", TWO_LISTENERS("'timeouts':{}", ",'listeners':['l']")),
    /* T006 */
    FIRES("T006", TRUSTS("require", "shop.pem"), "/listeners/l/tls/client_auth/ca_file",
          "has none of the authorities", ERROR, .base = TRUSTS("request", "ca.pem")),
    JUST_FIRES("T006", TRUSTS("require", "shop.pem"), "/listeners/l/tls/client_auth/ca_file",
               "has none of the authorities", ERROR, .base = TRUSTS("require", "ca.pem")),
    JUST_QUIET("T006", TRUSTS("require", "chain.pem"), .base = TRUSTS("require", "ca.pem")),
    QUIET("T006", TRUSTS("request", "shop.pem"), .base = TRUSTS("require", "ca.pem")),
    QUIET("T006", TRUSTS("require", "shop.pem"), .base = TRUSTS("off", "ca.pem")),
    /* T007 */
    JUST_FIRES("T007", "{" FILES("shop.pem", "shop.key") "," SHOWN(",'profile':'old'") "}",
               "/listeners/l/tls/profile", "without forward secrecy", WARNING),
    JUST_QUIET("T007",
               "{" FILES("shop.pem", "shop.key") "," SHOWN(",'profile':'intermediate'") "}"),
    QUIET("T007", "{" FILES("shop.pem", "shop.key") "," SHOWN("") "}"),
};

/* ---- the files ---- */

static struct made ca, shop, weak;

static const char *read_made(void *context, const char *path, bool is_key, struct buffer *out)
{
    (void)context;
    (void)is_key;
    if (strcmp(path, "/shop.pem") == 0)
        buffer_append_slice(out, slice_from(shop.pem));
    else if (strcmp(path, "/shop.key") == 0)
        buffer_append_slice(out, slice_from(shop.key_pem));
    else if (strcmp(path, "/ca.pem") == 0)
        buffer_append_slice(out, slice_from(ca.pem));
    else if (strcmp(path, "/ca.key") == 0)
        buffer_append_slice(out, slice_from(ca.key_pem));
    else if (strcmp(path, "/weak.pem") == 0)
        buffer_append_slice(out, slice_from(weak.pem));
    else if (strcmp(path, "/weak.key") == 0)
        buffer_append_slice(out, slice_from(weak.key_pem));
    else if (strcmp(path, "/chain.pem") == 0)
        buffer_printf(out, "%s%s", shop.pem, ca.pem);
    else if (strcmp(path, "/unordered.pem") == 0)
        buffer_printf(out, "%s%s", shop.pem, shop.pem);
    else if (strcmp(path, "/empty") != 0)
        return "No such file or directory";
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    made_begin = BEGIN / 1000;
    ca = make_certificate(MADE_EC, NULL, NULL, true, 20);
    shop = make_certificate(MADE_EC, "DNS:shop.example,DNS:*.wild.example", &ca, false, 30);
    weak = make_certificate(MADE_WEAK_RSA, "DNS:shop.example", &ca, false, 30);
    case_files = read_made;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    drop_made(&weak);
    drop_made(&shop);
    drop_made(&ca);
    return 0;
}

static void each_rule_of_certificates_fires_there_and_not_beside(void **state)
{
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_of_certificates_fires_there_and_not_beside),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
