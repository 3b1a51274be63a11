/*
 * Who is calling: tokens, users of the socket, the limit of failed tries, roles, what is masked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/auth.h"
#include "admin/operations.h"
#include "base/memory.h"
#include "tests/support/admin_fixture.h"

#define SECRET "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ANN    "Bearer tk_ann_" SECRET
/* SHA-256 of tk_ann_AAA…, tk_bob_AAA…, tk_cat_AAA…, tk_ci_AAA… */
#define HASH_ANN "sha256:a46378ba085aec445e69debc1ba6a37e0f57f82f318691be572e47efce4b8665"
#define HASH_BOB "sha256:46e6c3c8a33818935428afdd683c8ce89cb1abefc6b412b644cc3513672d035f"
#define HASH_CAT "sha256:87fb4bc7d868999d19ec901a9d869c8b98e34f19212569cac864ddc41ad62b29"
#define HASH_CI  "sha256:89b508aa9e2cf39247174a39798cf60954ec34c04645377f3045dd0fde4c0c55"

static const char configuration[] =
    "{\"people\":{"
    "\"ann\":{\"roles\":[\"author\"],\"certificate_names\":[\"Ann@example.com\",\"ann.people\"],"
    "\"tokens\":[{\"id\":\"laptop\",\"hash\":\"" HASH_ANN "\"}]},"
    "\"bob\":{\"roles\":[\"admin\"],\"disabled\":true,\"certificate_names\":[\"bob.people\"],"
    "\"uids\":[7],\"tokens\":[\"" HASH_BOB "\"]},"
    "\"dan\":{\"roles\":[\"operator\"],\"certificate_names\":[\"dan.people\"],\"uids\":[1000],"
    "\"signing_key\":\"ed25519:x\","
    "\"tokens\":[\"" HASH_CAT "\"]},"
    "\"ci\":{\"kind\":\"service\",\"owner\":\"ann\",\"tokens\":[\"" HASH_CI "\"]}}}";

struct asked {
    const char *method;
    const char *target;
    const char *authorization;
    const char *on_behalf_of;
    const char *peer;
    int64_t uid;
    const char *certificate[3]; /* names of one that is believed; "": one without names */
    const char *not_believed;   /* why */
    bool is_remote;
};

static struct call *ask(struct asked asked)
{
    struct call *call =
        fixture_call(asked.method != NULL ? asked.method : "GET",
                     slice_from(asked.target != NULL ? asked.target : "/v1/whoami"), SLICE(""));

    call->authorization = slice_from(asked.authorization != NULL ? asked.authorization : "");
    call->on_behalf_of = slice_from(asked.on_behalf_of != NULL ? asked.on_behalf_of : "");
    call->peer = asked.peer != NULL ? asked.peer : "127.0.0.1";
    call->uid = asked.uid != 0 ? asked.uid : -1;
    call->is_remote = asked.is_remote;
    call->certificate.is_shown = asked.certificate[0] != NULL || asked.not_believed != NULL;
    call->certificate.why = asked.not_believed;
    call->certificate.names = asked.certificate;
    while (call->certificate.name_count < 3 &&
           asked.certificate[call->certificate.name_count] != NULL)
        call->certificate.name_count++;
    dispatch(call);
    call->certificate.name_count = 0; /* they are the asker's */
    return call;
}

#define STATUS(...) status_of((struct asked){__VA_ARGS__})

static unsigned status_of(struct asked asked)
{
    struct call *call = ask(asked);
    unsigned status = call->reply.status;

    call_free(&call);
    return status;
}

static void forget_failures(void)
{
    fixture.admin.failures = (struct auth_failures){0};
}

static void a_token_names_its_person_and_its_id(void **state)
{
    struct call *call = ask((struct asked){.authorization = ANN});

    (void)state;
    assert_int_equal(call->reply.status, 200);
    assert_string_equal(call->actor.person, "ann");
    assert_string_equal(call->actor.principal, "token:laptop");
    assert_string_equal(call->actor.auth, "token");
    assert_int_equal(call->actor.roles, ROLE_AUTHOR);
    assert_true(call->actor.is_human);
    call_free(&call);
}

static void what_is_not_exactly_a_known_token_is_nobodys(void **state)
{
    static const char *const wrong[] = {
        "",
        "Bearer",
        "Bearer ",
        "Basic tk_ann_" SECRET,
        "tk_ann_" SECRET,
        "Bearer tk_ann_" SECRET "A",
        "Bearer tk_ann_" SECRET " A",
        "Bearer Tk_ann_" SECRET,
        "Bearer tk_bob_" SECRET, /* disabled */
        "Bearer tk_cat_" SECRET, /* stands under dan's name */
        "Bearer tk_eve_" SECRET,
        "Bearer tk__" SECRET,
        "Bearer " HASH_ANN,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        forget_failures();
        if (STATUS(.authorization = wrong[i]) != 401)
            fail_msg("%s is taken", wrong[i]);
    }
    forget_failures();
    assert_int_equal(STATUS(.authorization = "bearer   tk_ann_" SECRET), 200);
}

static void a_user_of_the_socket_is_a_person_unless_a_token_says_otherwise(void **state)
{
    struct call *call = ask((struct asked){.uid = 1000, .peer = "unix:uid=1000"});

    (void)state;
    assert_string_equal(call->actor.person, "dan");
    assert_string_equal(call->actor.principal, "uid:1000");
    call_free(&call);
    call = ask((struct asked){.uid = 1000, .authorization = ANN});
    assert_string_equal(call->actor.person, "ann");
    assert_true(call->actor.uid == 1000);
    call_free(&call);
    assert_int_equal(STATUS(.uid = 1000, .authorization = "Bearer x"), 401);
    assert_int_equal(STATUS(.uid = 7), 401); /* bob is disabled */
    assert_int_equal(STATUS(.uid = 8), 401);
}

static void a_certificate_names_its_person(void **state)
{
    struct call *call = ask((struct asked){.certificate = {"other.people", "ann@EXAMPLE.com"}});

    (void)state;
    forget_failures();
    assert_string_equal(call->actor.person, "ann");
    assert_string_equal(call->actor.auth, "certificate");
    assert_string_equal(call->actor.principal, "certificate:Ann@example.com");
    assert_int_equal(call->actor.roles, ROLE_AUTHOR);
    call_free(&call);
    assert_int_equal(STATUS(.certificate = {"ann.people", "ann@example.com"}), 200);
    assert_int_equal(STATUS(.certificate = {"ann.peoples"}), 401);
    assert_int_equal(STATUS(.certificate = {""}), 401);
    assert_int_equal(STATUS(.certificate = {"bob.people"}), 401); /* disabled */
    assert_int_equal(STATUS(.not_believed = "it has expired"), 401);
    forget_failures();
}

#define SAYS(text, ...) assert_non_null(strstr(said_to((struct asked){__VA_ARGS__}), text))

static const char *said_to(struct asked asked)
{
    static char text[2048];
    struct call *call = ask(asked);

    assert_int_equal(call->reply.status, 401);
    (void)snprintf(text, sizeof(text), "%s", buffer_text(&call->reply.body));
    call_free(&call);
    return text;
}

static void two_credentials_of_two_people_are_nobodys(void **state)
{
    struct call *call = ask((struct asked){.authorization = ANN, .certificate = {"ann.people"}});

    (void)state;
    forget_failures();
    assert_string_equal(call->actor.principal, "token:laptop");
    call_free(&call);
    call = ask((struct asked){.authorization = ANN, .certificate = {"stranger.people"}});
    assert_string_equal(call->actor.principal, "token:laptop");
    call_free(&call);
    call = ask((struct asked){.authorization = ANN, .not_believed = "it has expired"});
    assert_string_equal(call->actor.principal, "token:laptop");
    call_free(&call);
    SAYS("the token is ann's and the certificate dan's", .authorization = ANN,
         .certificate = {"dan.people"});
    SAYS("the token is ann's and the certificate bob's", .authorization = ANN,
         .certificate = {"bob.people"});
    SAYS("this token is nobody's", .authorization = "Bearer x", .certificate = {"ann.people"});
    SAYS("stand for two people", .certificate = {"dan.people", "ann.people"});
    SAYS("stand for two people", .authorization = ANN, .certificate = {"dan.people", "ann.people"});
    SAYS("not believed: it has expired", .not_believed = "it has expired");
    assert_int_equal(
        STATUS(.target = "/healthz", .authorization = ANN, .certificate = {"dan.people"}), 200);
    forget_failures();
}

static void ten_failures_a_minute_and_a_valid_token_always(void **state)
{
    (void)state;
    forget_failures();
    for (int i = 0; i < AUTH_TRIES; i++)
        assert_int_equal(STATUS(.authorization = "Bearer x", .peer = "192.0.2.1"), 401);
    assert_int_equal(STATUS(.authorization = "Bearer x", .peer = "192.0.2.1"), 429);
    assert_int_equal(STATUS(.authorization = "Bearer x", .peer = "192.0.2.2"), 401);
    assert_int_equal(STATUS(.authorization = ANN, .peer = "192.0.2.1"), 200);
    assert_int_equal(STATUS(.peer = "192.0.2.1"), 401); /* tried nothing */
    for (size_t i = 0; i < AUTH_ADDRESSES; i++)
        fixture.admin.failures.places[i].since_ms -= AUTH_WINDOW_MS;
    assert_int_equal(STATUS(.authorization = "Bearer x", .peer = "192.0.2.1"), 401);
}

static void roles_are_held_against_permissions(void **state)
{
    static const struct {
        const char *permission;
        unsigned roles;
        bool may;
    } rows[] = {
        {"any", 0, true},
        {"known", 0, true},
        {"viewer", 0, false},
        {"viewer", ROLE_BREAKGLASS, true},
        {"metrics", ROLE_AUTHOR, true},
        {"author", ROLE_AUTHOR, true},
        {"author", ROLE_ADMIN | ROLE_OPERATOR | ROLE_APPROVER, false},
        {"author|operator", ROLE_OPERATOR, true},
        {"author | operator", ROLE_OPERATOR, true},
        {"author|operator", ROLE_VIEWER, false},
        {"nonsense", ~(1U << 31), false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call *call = fixture_call("GET", SLICE("/"), SLICE(""));
        struct operation operation = {.id = "test", .permission = rows[i].permission};

        call->operation = &operation;
        call->actor.roles = rows[i].roles;
        if (auth_permit(call) != rows[i].may)
            fail_msg("%s with %x", rows[i].permission, rows[i].roles);
        call_free(&call);
    }
}

static void every_permission_of_the_table_means_something(void **state)
{
    (void)state;
    for (size_t i = 0; i < operation_count; i++) {
        struct call *call = fixture_call("GET", SLICE("/"), SLICE(""));

        call->operation = &operations[i];
        call->actor.roles = 0x7f; /* every role */
        if (!auth_permit(call))
            fail_msg("nobody may %s (%s)", operations[i].id, operations[i].permission);
        call_free(&call);
    }
}

static void a_service_acts_for_people_and_people_for_nobody(void **state)
{
    const char *ci = "Bearer tk_ci_" SECRET;
    struct call *call = ask((struct asked){.authorization = ci, .on_behalf_of = "dan"});

    (void)state;
    assert_int_equal(call->reply.status, 200);
    assert_string_equal(call->actor.on_behalf_of, "dan");
    assert_false(call->actor.is_human);
    call_free(&call);
    assert_int_equal(STATUS(.authorization = ci, .on_behalf_of = "bob"), 403);
    assert_int_equal(STATUS(.authorization = ci, .on_behalf_of = "ci"), 403);
    assert_int_equal(STATUS(.authorization = ci, .on_behalf_of = "eve"), 403);
    assert_int_equal(STATUS(.authorization = ANN, .on_behalf_of = "dan"), 403);
}

static void secrets_are_masked(void **state)
{
    struct call *call = fixture_call("GET", SLICE("/v1/config"), SLICE(""));
    json_t *all = json_loads(configuration, 0, NULL);
    char *text;

    (void)state;
    call->actor.roles = ROLE_AUDITOR;
    auth_mask(call, all);
    assert_non_null(strstr(text = json_dumps(all, 0), HASH_ANN));
    xfree(text);
    call->actor.roles = 0x7f & ~(ROLE_AUDITOR | ROLE_ADMIN);
    auth_mask(call, all);
    text = json_dumps(all, 0);
    assert_null(strstr(text, "sha256:"));
    assert_null(strstr(text, "ed25519"));
    assert_non_null(strstr(text, "laptop"));
    xfree(text);
    json_decref(all);
    call_free(&call);
}

static int open_fixture(void **state)
{
    (void)state;
    fixture_open(configuration);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_names_its_person_and_its_id),
        cmocka_unit_test(what_is_not_exactly_a_known_token_is_nobodys),
        cmocka_unit_test(a_user_of_the_socket_is_a_person_unless_a_token_says_otherwise),
        cmocka_unit_test(a_certificate_names_its_person),
        cmocka_unit_test(two_credentials_of_two_people_are_nobodys),
        cmocka_unit_test(ten_failures_a_minute_and_a_valid_token_always),
        cmocka_unit_test(roles_are_held_against_permissions),
        cmocka_unit_test(every_permission_of_the_table_means_something),
        cmocka_unit_test(a_service_acts_for_people_and_people_for_nobody),
        cmocka_unit_test(secrets_are_masked),
    };

    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
