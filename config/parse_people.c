/*
 * parse_people - what must hold among all people: owners exist, and a credential is one person's.
 *
 * Owner    parse_documents()      Threads  one at a time
 */
#include "config/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "config/load.h"
#include "config/model.h"

static void enter_person(struct reader *reader, const struct conf_person *person, const char *key)
{
    reader_enter(reader, "people");
    reader_enter(reader, person->name);
    reader_enter(reader, key);
}

static void leave_person(struct reader *reader)
{
    reader_leave(reader);
    reader_leave(reader);
    reader_leave(reader);
}

static void check_owner(struct reader *reader, const struct configuration *conf,
                        const struct conf_person *person)
{
    const struct conf_person *owner =
        person->owner != NULL ? config_find_person(conf, person->owner) : NULL;

    if (person->owner == NULL)
        return;
    enter_person(reader, person, "owner");
    if (owner == NULL)
        reader_block(reader, "there is no person \"%s\"", person->owner)->rule = "R004";
    else if (owner->kind != PERSON_HUMAN)
        reader_block(reader, "%s is a service: a human must answer for one", person->owner);
    leave_person(reader);
}

/* One credential: whose it is, and where it is written. */
struct claim {
    const struct conf_person *person;
    size_t index; /* within its list */
    const void *value;
    size_t bytes;
};

static int by_value(const void *a, const void *b)
{
    const struct claim *one = a;
    const struct claim *two = b;
    size_t bytes = one->bytes < two->bytes ? one->bytes : two->bytes;
    int order = memcmp(one->value, two->value, bytes);

    if (order != 0 || one->bytes != two->bytes)
        return order != 0 ? order : one->bytes < two->bytes ? -1 : 1;
    if (one->person != two->person)
        return one->person < two->person ? -1 : 1;
    return one->index < two->index ? -1 : one->index > two->index;
}

static void report_doubles(struct reader *reader, struct claim *claims, size_t count,
                           const char *key, const char *noun)
{
    if (count > 1)
        qsort(claims, count, sizeof(*claims), by_value);
    for (size_t i = 1; i < count; i++) {
        const struct claim *first = &claims[i - 1];
        const struct claim *claim = &claims[i];

        if (first->bytes != claim->bytes || memcmp(first->value, claim->value, claim->bytes) != 0)
            continue;
        enter_person(reader, claim->person, key);
        reader_enter_item(reader, claim->index);
        reader_block(reader, "is %s's %s too: each stands for one person, once",
                     first->person->name, noun);
        reader_leave(reader);
        leave_person(reader);
    }
}

typedef size_t list_fn(const struct conf_person *person, struct arena *arena,
                       struct claim *claims_out);

static size_t list_tokens(const struct conf_person *person, struct arena *arena,
                          struct claim *claims_out)
{
    (void)arena;
    for (size_t i = 0; claims_out != NULL && i < person->token_count; i++)
        claims_out[i] = (struct claim){person, i, person->tokens[i].hash, 32};
    return person->token_count;
}

/* "Ann@Example.com" is ann@example.com. */
static size_t list_certificates(const struct conf_person *person, struct arena *arena,
                                struct claim *claims_out)
{
    for (size_t i = 0; claims_out != NULL && i < person->certificate_names.count; i++) {
        char *name = arena_strdup(arena, person->certificate_names.items[i]);

        for (char *c = name; *c != '\0'; c++)
            *c = ascii_lower(*c);
        claims_out[i] = (struct claim){person, i, name, strlen(name)};
    }
    return person->certificate_names.count;
}

static size_t list_uids(const struct conf_person *person, struct arena *arena,
                        struct claim *claims_out)
{
    (void)arena;
    for (size_t i = 0; claims_out != NULL && i < person->uid_count; i++)
        claims_out[i] = (struct claim){person, i, &person->uids[i], sizeof(person->uids[i])};
    return person->uid_count;
}

static void check_doubles(struct reader *reader, const struct configuration *conf, list_fn *list,
                          const char *key, const char *noun)
{
    struct claim *claims;
    size_t count = 0;

    for (size_t i = 0; i < conf->person_count; i++)
        count += list(&conf->people[i], reader->arena, NULL);
    claims = arena_array(reader->arena, count, sizeof(*claims));
    count = 0;
    for (size_t i = 0; i < conf->person_count; i++)
        count += list(&conf->people[i], reader->arena, claims + count);
    report_doubles(reader, claims, count, key, noun);
}

/* Ids tell a person's tokens apart in the audit. */
static void check_token_ids(struct reader *reader, const struct conf_person *person)
{
    for (size_t i = 0; i < person->token_count; i++)
        for (size_t j = 0; j < i; j++) {
            const char *id = person->tokens[i].id;

            if (id == NULL || person->tokens[j].id == NULL || strcmp(id, person->tokens[j].id) != 0)
                continue;
            enter_person(reader, person, "tokens");
            reader_enter_item(reader, i);
            reader_block(reader, "has the id \"%s\" of another token", id);
            reader_leave(reader);
            leave_person(reader);
        }
}

void people_check(struct reader *reader, struct configuration *conf)
{
    for (size_t i = 0; i < conf->person_count; i++) {
        check_owner(reader, conf, &conf->people[i]);
        check_token_ids(reader, &conf->people[i]);
    }
    check_doubles(reader, conf, list_tokens, "tokens", "token");
    check_doubles(reader, conf, list_certificates, "certificate_names", "certificate name");
    check_doubles(reader, conf, list_uids, "uids", "user");
}
