/*
 * renewals_test - files that were refused, and are good after all: nobody has to touch them again.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/model.h"
#include "tests/unit/tls/certificates.h"
#include "watch/renewals.h"
#include "watch/staples.h"

enum { LOOKS = 40 }; /* more than it takes until refused files are judged again */

static char folder[64];
static char chain_path[128], key_path[128], ocsp_path[128];
static const char *roots[] = {folder};
static struct conf_certificate certificate;
static struct configuration running;
static struct made first, next;
static time_t now;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void append_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "ae");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    (void)state;
    now = time(NULL);
    made_begin = 0;
    first = make_certificate(MADE_EC, "DNS:shop.example", NULL, false, 5);
    next = make_certificate(MADE_EC, "DNS:shop.example", NULL, false, 20);
    (void)snprintf(folder, sizeof(folder), "/tmp/twokey-renewals-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(chain_path, sizeof(chain_path), "%s/chain.pem", folder);
    (void)snprintf(key_path, sizeof(key_path), "%s/key.pem", folder);
    (void)snprintf(ocsp_path, sizeof(ocsp_path), "%s/staple.der", folder);
    certificate = (struct conf_certificate){
        .name = "shop",
        .cert_file = chain_path,
        .key_file = key_path,
        .chain = {.bytes = first.pem, .count = strlen(first.pem)},
        .key = {.bytes = first.key_pem, .count = strlen(first.key_pem)},
    };
    running = (struct configuration){.certificates = &certificate, .certificate_count = 1};
    running.policy.certificate_watch = true;
    running.process.file_roots = (struct conf_strings){.items = roots, .count = 1};
    write_file(chain_path, next.pem);
    write_file(key_path, next.key_pem);
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)unlink(chain_path);
    (void)unlink(key_path);
    (void)unlink(ocsp_path);
    (void)rmdir(folder);
    drop_made(&first);
    drop_made(&next);
    return 0;
}

/* The look at which they were taken up; 0: at none. */
static unsigned taken_at(struct renewals *renewals, int64_t wall_ms)
{
    size_t count = 0;
    unsigned looks = 0;

    while (count == 0 && looks++ < LOOKS)
        (void)renewals_look(renewals, &running, wall_ms, &count);
    return count > 0 ? looks : 0;
}

static struct rlimit forbid_files(void)
{
    struct rlimit before, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

static void what_is_not_valid_yet_is_taken_up_when_its_time_has_come(void **state)
{
    struct renewals *renewals = renewals_new(folder);

    (void)state;
    assert_int_equal(taken_at(renewals, ((int64_t)now - 3 * 86400) * 1000), 0);
    assert_true(taken_at(renewals, (int64_t)now * 1000) > 0);
    renewals_free(&renewals);
}

static void what_could_not_be_read_is_taken_up_when_it_can(void **state)
{
    struct renewals *renewals = renewals_new(folder);
    struct rlimit before = forbid_files();
    unsigned looks = taken_at(renewals, (int64_t)now * 1000);

    (void)state;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(looks, 0);
    assert_true(taken_at(renewals, (int64_t)now * 1000) > 0);
    renewals_free(&renewals);
}

static void what_could_not_be_taken_up_rests_but_not_what_comes_after_it(void **state)
{
    struct renewals *renewals = renewals_new(folder);
    struct made third;

    (void)state;
    assert_int_equal(taken_at(renewals, (int64_t)now * 1000), 2);
    renewals_failed(renewals, "the disk is full");
    assert_true(taken_at(renewals, (int64_t)now * 1000) > 10);
    renewals_failed(renewals, "the disk is full");
    third = make_certificate(MADE_EC, "DNS:shop.example", NULL, false, 21);
    write_file(key_path, third.key_pem);
    write_file(chain_path, third.pem);
    assert_int_equal(taken_at(renewals, (int64_t)now * 1000), 2);
    drop_made(&third);
    renewals_free(&renewals);
}

/* cert.pem in the place of fullchain.pem: clients would not know who has signed it. */
static void what_lacks_its_authority_is_not_taken_up(void **state)
{
    struct renewals *renewals = renewals_new(folder);
    struct made authority = make_certificate(MADE_EC, NULL, NULL, true, 30);
    struct made runs = make_certificate(MADE_EC, "DNS:shop.example", &authority, false, 5);
    struct made renewed = make_certificate(MADE_EC, "DNS:shop.example", &authority, false, 20);
    char chain[8192];

    (void)state;
    (void)snprintf(chain, sizeof(chain), "%s%s", runs.pem, authority.pem);
    certificate.chain = (struct conf_content){.bytes = chain, .count = strlen(chain)};
    certificate.key = (struct conf_content){.bytes = runs.key_pem, .count = strlen(runs.key_pem)};
    write_file(key_path, renewed.key_pem);
    write_file(chain_path, renewed.pem);
    assert_int_equal(taken_at(renewals, (int64_t)now * 1000), 0);
    write_file(chain_path, renewed.pem);
    append_file(chain_path, authority.pem);
    assert_int_equal(taken_at(renewals, (int64_t)now * 1000), 2);
    drop_made(&authority);
    drop_made(&runs);
    drop_made(&renewed);
    renewals_free(&renewals);
}

static void run(const struct made *made)
{
    certificate.chain = (struct conf_content){.bytes = made->pem, .count = strlen(made->pem)};
    certificate.key = (struct conf_content){.bytes = made->key_pem, .count = strlen(made->key_pem)};
}

static void put(const struct made *made)
{
    write_file(key_path, made->key_pem);
    write_file(chain_path, made->pem);
}

/* Else it would be refused with all the others that are renewed at that moment. */
static void what_openssl_would_not_show_is_not_taken_up(void **state)
{
    struct renewals *renewals = renewals_new(folder);
    struct made runs = make_certificate(MADE_RSA, "DNS:shop.example", NULL, false, 5);
    struct made weak = make_certificate(MADE_WEAK_RSA, "DNS:shop.example", NULL, false, 20);

    (void)state;
    run(&runs);
    put(&weak);
    assert_int_equal(taken_at(renewals, (int64_t)now * 1000), 0);
    drop_made(&runs);
    drop_made(&weak);
    renewals_free(&renewals);
}

static void what_is_for_clients_only_is_not_taken_up(void **state)
{
    struct renewals *renewals = renewals_new(folder);
    struct made other = make_certificate(MADE_EC, "DNS:shop.example", NULL, false, 20);

    (void)state;
    add_extension(other.certificate, other.certificate, NID_ext_key_usage, "clientAuth");
    sign_again(&other);
    put(&other);
    assert_int_equal(taken_at(renewals, (int64_t)now * 1000), 0);
    run(&other); /* it is shown to servers: such a one may come after it */
    put(&next);
    assert_int_equal(taken_at(renewals, (int64_t)now * 1000), 2);
    drop_made(&other);
    renewals_free(&renewals);
}

static void assert_staple_is_missing_because(const struct staples *staples, const char *why)
{
    json_t *list = json_array();
    const char *summary;

    staples_add_alerts(staples, (int64_t)now * 1000, list);
    assert_int_equal(json_array_size(list), 1);
    summary = json_string_value(json_object_get(json_array_get(list, 0), "summary"));
    assert_non_null(strstr(summary, why));
    json_decref(list);
}

static void a_staple_that_could_not_be_read_is_read_again(void **state)
{
    struct staples *staples = staples_new(folder);
    struct rlimit before;

    (void)state;
    write_file(ocsp_path, "no staple");
    certificate.ocsp_file = ocsp_path;
    before = forbid_files();
    (void)staples_look(staples, &running, NULL, (int64_t)now * 1000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_staple_is_missing_because(staples, "Too many open files");
    for (int i = 0; i < LOOKS; i++)
        (void)staples_look(staples, &running, NULL, (int64_t)now * 1000);
    assert_staple_is_missing_because(staples, "it is no OCSP response in DER");
    staples_free(&staples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_valid_yet_is_taken_up_when_its_time_has_come,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_could_not_be_read_is_taken_up_when_it_can, begin, end),
        cmocka_unit_test_setup_teardown(
            what_could_not_be_taken_up_rests_but_not_what_comes_after_it, begin, end),
        cmocka_unit_test_setup_teardown(what_lacks_its_authority_is_not_taken_up, begin, end),
        cmocka_unit_test_setup_teardown(what_openssl_would_not_show_is_not_taken_up, begin, end),
        cmocka_unit_test_setup_teardown(what_is_for_clients_only_is_not_taken_up, begin, end),
        cmocka_unit_test_setup_teardown(a_staple_that_could_not_be_read_is_read_again, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
