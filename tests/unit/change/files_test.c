/*
 * files_test - E-7: a file that a configuration refers to is read once, at submission; what was
 * approved is the stored copy.
 *
 * Threads  the first
 */
#include <sys/stat.h>
#include <unistd.h>

#include "change/files.h"
#include "config/contents.h"
#include "config/load.h"
#include "tests/support/ledger_fixture.h"
#include "tests/unit/tls/certificates.h"

static char folder[64];
static char certificate[128];
static char key[128];
static struct made shop;
static char *renewed; /* another certificate for the same key */

/* Of the last line of the key: what must stand nowhere else. */
enum { TELLING = 40 };

static const char *telling(void)
{
    return shop.key_pem + 60;
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fputs(content, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    char text[8192];

    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/twokey-files-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(certificate, sizeof(certificate), "%s/shop.pem", folder);
    (void)snprintf(key, sizeof(key), "%s/shop.key", folder);
    write_file(certificate, shop.pem);
    write_file(key, shop.key_pem);
    (void)snprintf(text, sizeof(text),
                   "{\"process\":{\"file_roots\":[\"%s\"]}," POOLS "," ROUTES
                   ",\"people\":{" EVERYBODY "},\"policy\":{" ENFORCED "}}",
                   folder);
    world.state_directory = folder;
    world_begin(text);
    return 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    world_end();
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static void propose_certificate(const char *cert_file, bool submitted, char id_out[CHANGE_ID_TEXT])
{
    char patch[512];

    (void)snprintf(patch, sizeof(patch),
                   "{\"certificates\":{\"shop\":{\"cert_file\":\"%s\",\"key_file\":\"%s\","
                   "\"names\":[\"shop.example.com\"]}}}",
                   cert_file, key);
    propose("ann", patch, submitted, id_out);
}

static const char *stored_digest(const char *id, const char *path)
{
    const char *digest = json_string_value(json_object_get(change_now(id)->files, path));

    assert_non_null(digest);
    return digest;
}

static void approve_fully(const char *id)
{
    assert_string_equal(approve("bob", id), "");
    if (change_now(id)->required > 1)
        assert_string_equal(approve("cat", id), "");
    assert_string_equal(state_of(id), "approved");
}

static void e07_what_was_approved_is_the_copy_not_the_path(void **state)
{
    char id[CHANGE_ID_TEXT];
    struct buffer content;

    (void)state;
    propose_certificate(certificate, true, id);
    approve_fully(id);
    write_file(certificate, renewed);
    assert_string_equal(may_apply("ann", id), "");
    buffer_init(&content);
    assert_true(ledger_blob(world.ledger, stored_digest(id, certificate), &content));
    assert_string_equal(buffer_text(&content), shop.pem);
    buffer_fini(&content);
    assert_string_equal(call(ledger_reopen, "ann", id), "");
    assert_string_equal(call(ledger_submit, "ann", id), "");
    buffer_init(&content);
    assert_true(ledger_blob(world.ledger, stored_digest(id, certificate), &content));
    assert_string_equal(buffer_text(&content), renewed);
    buffer_fini(&content);
}

static void e07_what_was_judged_is_what_is_kept(void **state)
{
    struct arena *arena = arena_new(4096);
    struct contents_roots roots = {.config_directory = folder};
    struct files_wanted wanted = {.config_directory = folder};
    const char *name = "target";
    struct configuration *conf;
    struct findings findings;
    struct files files;
    struct slice bytes;
    json_t *target;
    char *text;

    (void)state;
    findings_init(&findings, arena);
    target = json_pack("{s:{s:{s:s,s:s}}}", "certificates", "shop", "cert_file", certificate,
                       "key_file", key);
    text = json_dumps(target, 0);
    bytes = slice_from(text);
    conf = config_load_documents(&name, &bytes, 1, &findings);
    free(text);
    assert_non_null(conf);
    assert_true(contents_fill(conf, contents_from_disk, &roots, &findings));
    write_file(certificate, renewed);
    wanted.target = target;
    wanted.read = conf;
    files_collect(&wanted, &files, &findings);
    assert_int_equal(files.count, 2);
    assert_string_equal(files.items[0].path, certificate);
    assert_string_equal(buffer_text(&files.items[0].content), shop.pem);
    files_fini(&files);
    config_free(&conf);
    json_decref(target);
    findings_fini(&findings);
    arena_free(&arena);
}

static void e07_a_copy_that_was_changed_is_not_applied(void **state)
{
    char id[CHANGE_ID_TEXT];
    char blob[96];

    (void)state;
    propose_certificate(certificate, true, id);
    approve_fully(id);
    (void)snprintf(blob, sizeof(blob), "blob/%s",
                   stored_digest(id, certificate) + strlen("sha256:"));
    memory_find(blob)->bytes[0] ^= 1;
    assert_string_equal(may_apply("ann", id), "digest-mismatch");
}

static void a_private_key_is_no_part_of_the_store(void **state)
{
    char id[CHANGE_ID_TEXT];
    char copy[256];
    struct stat status;

    (void)state;
    propose_certificate(certificate, true, id);
    for (size_t i = 0; i < memory.count; i++)
        assert_null(memmem(memory.entries[i].bytes, memory.entries[i].len, telling(), TELLING));
    (void)snprintf(copy, sizeof(copy), "%s/keys/%s.pem", folder,
                   stored_digest(id, key) + strlen("sha256:"));
    assert_int_equal(stat(copy, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    approve_fully(id);
    assert_string_equal(may_apply("ann", id), "");
    assert_int_equal(chmod(copy, 0600), 0);
    write_file(copy, renewed);
    assert_string_equal(may_apply("ann", id), "digest-mismatch");
}

static void files_are_in_the_folders_that_were_named(void **state)
{
    char id[CHANGE_ID_TEXT];
    char link[128];

    (void)state;
    propose_certificate("/etc/passwd", false, id);
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    (void)snprintf(link, sizeof(link), "%s/link.pem", folder);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    propose_certificate(link, false, id);
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    propose_certificate(folder, false, id);
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    (void)snprintf(link, sizeof(link), "%s/nothing.pem", folder);
    propose_certificate(link, false, id);
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
    propose_certificate("shop.pem", false, id);
    assert_string_equal(call(ledger_submit, "ann", id), "findings-block");
}

static int make(void **state)
{
    X509 *again;
    BIO *bio = BIO_new(BIO_s_mem());

    (void)state;
    shop = make_certificate(MADE_EC, "DNS:shop.example.com", NULL, false, 90);
    again = X509_dup(shop.certificate);
    ASN1_INTEGER_set(X509_get_serialNumber(again), 4711);
    assert_true(X509_sign(again, shop.key, EVP_sha256()) > 0);
    PEM_write_bio_X509(bio, again);
    renewed = pem_of(bio);
    X509_free(again);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    free(renewed);
    drop_made(&shop);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(e07_what_was_approved_is_the_copy_not_the_path),
        TEST(e07_what_was_judged_is_what_is_kept),
        TEST(e07_a_copy_that_was_changed_is_not_applied),
        TEST(a_private_key_is_no_part_of_the_store),
        TEST(files_are_in_the_folders_that_were_named),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
