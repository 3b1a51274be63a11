/*
 * audit_verify - the other half of audit.h: what is right about a line, without a store.
 *
 * A line ends with  ,"prev":"<64 hex>","h":"<64 hex>"}  and begins with  {"seq":<number>,
 *
 * Owner    the verifier is the caller's.      Threads  any
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/error.h"
#include "change/audit.h"

enum { HEX = 2 * DIGEST_BYTES, SEAL_BYTES = 6 + HEX + 2, PREV_BYTES = 9 + HEX + 1, SHOWN = 60 };

struct parts {
    uint64_t seq;
    struct digest prev;
    struct digest hash;
};

struct digest audit_hash(const struct digest *prev, uint64_t seq, struct slice unsealed)
{
    struct buffer bytes;
    unsigned char number[8];
    struct digest hash;

    for (unsigned i = 0; i < 8; i++)
        number[i] = (unsigned char)(seq >> (56 - 8 * i));
    buffer_init(&bytes);
    buffer_append(&bytes, "\0", 1);
    buffer_append(&bytes, prev->bytes, DIGEST_BYTES);
    buffer_append(&bytes, number, sizeof(number));
    buffer_append_slice(&bytes, unsealed);
    hash = digest_of(buffer_slice(&bytes));
    buffer_fini(&bytes);
    return hash;
}

static bool parse_seq(struct slice line, uint64_t *seq_out)
{
    struct slice digits = slice_after(line, 7);
    const char *comma = memchr(digits.at, ',', digits.len);

    return slice_starts_with(line, SLICE("{\"seq\":")) && comma != NULL &&
           slice_to_u64(slice_of(digits.at, (size_t)(comma - digits.at)), seq_out);
}

static bool parse_line(struct slice line, struct parts *parts)
{
    const char *seal;
    const char *prev;

    if (line.len <= SEAL_BYTES + PREV_BYTES + 7 || !parse_seq(line, &parts->seq))
        return false;
    seal = line.at + line.len - SEAL_BYTES;
    prev = seal - PREV_BYTES;
    return memcmp(seal, ",\"h\":\"", 6) == 0 && memcmp(seal + 6 + HEX, "\"}", 2) == 0 &&
           memcmp(prev, ",\"prev\":\"", 9) == 0 && prev[9 + HEX] == '"' &&
           digest_parse_hex(slice_of(prev + 9, HEX), &parts->prev) &&
           digest_parse_hex(slice_of(seal + 6, HEX), &parts->hash);
}

/* With the hash before it, and the number, that are given. */
static bool gives_its_hash(struct slice line, const struct parts *parts, const struct digest *prev,
                           uint64_t seq)
{
    struct buffer unsealed;
    struct digest hash;

    buffer_init(&unsealed);
    buffer_append(&unsealed, line.at, line.len - SEAL_BYTES);
    buffer_append_literal(&unsealed, "}");
    hash = audit_hash(prev, seq, buffer_slice(&unsealed));
    buffer_fini(&unsealed);
    return digest_equal(hash.bytes, parts->hash.bytes, DIGEST_BYTES);
}

static bool wrong_number(const struct audit_verifier *verifier, const struct parts *parts,
                         bool is_sealed, struct error *why)
{
    unsigned long long expected = verifier->next_seq;
    unsigned long long found = parts->seq;

    if (digest_equal(parts->prev.bytes, verifier->hash.bytes, DIGEST_BYTES) && !is_sealed)
        error_set(why, ERROR_INVALID,
                  "record %llu was changed: it says that it is record %llu, and its bytes do not "
                  "give its hash",
                  expected, found);
    else if (found > expected)
        error_set(why, ERROR_INVALID,
                  found - expected == 1
                      ? "record %llu is missing: record %llu comes in its place"
                      : "records from %llu on are missing: record %llu comes in their place",
                  expected, found);
    else
        error_set(why, ERROR_INVALID,
                  "record %llu was inserted, or comes a second time: record %llu should be here",
                  found, expected);
    return false;
}

static bool wrong_before(const struct audit_verifier *verifier, struct error *why)
{
    error_set(why, ERROR_INVALID,
              "record %llu does not continue the record %llu that stands before it: one of them "
              "was exchanged",
              (unsigned long long)verifier->next_seq, (unsigned long long)verifier->next_seq - 1);
    return false;
}

bool audit_verify_line(struct audit_verifier *verifier, struct slice line, struct error *why)
{
    struct parts parts;
    bool is_sealed;

    if (!parse_line(line, &parts)) {
        error_set(why, ERROR_INVALID, "%s%llu is damaged: this is not a record: %.*s%s",
                  verifier->has_begun ? "record " : "the first record, maybe ",
                  (unsigned long long)verifier->next_seq,
                  (int)(line.len < SHOWN ? line.len : SHOWN), line.at, line.len > SHOWN ? "…" : "");
        return false;
    }
    is_sealed = gives_its_hash(line, &parts, &parts.prev, parts.seq);
    if (verifier->has_begun && parts.seq != verifier->next_seq)
        return wrong_number(verifier, &parts, is_sealed, why);
    if (!is_sealed) {
        error_set(why, ERROR_INVALID, "record %llu was changed: its bytes do not give its hash",
                  (unsigned long long)parts.seq);
        return false;
    }
    if (verifier->has_begun && !digest_equal(parts.prev.bytes, verifier->hash.bytes, DIGEST_BYTES))
        return wrong_before(verifier, why);
    verifier->has_begun = true;
    verifier->next_seq = parts.seq + 1;
    verifier->hash = parts.hash;
    return true;
}

void audit_verifier_resume(struct audit_verifier *verifier, struct slice line)
{
    struct parts parts;

    verifier->has_begun = parse_line(line, &parts);
    if (verifier->has_begun) {
        verifier->next_seq = parts.seq + 1;
        verifier->hash = parts.hash;
    } else {
        verifier->next_seq++;
    }
}

int64_t audit_line_wall_ms(struct slice line)
{
    json_t *record = json_loadb(line.at, line.len, 0, NULL);
    const char *text = json_string_value(json_object_get(record, "t"));
    struct tm parts = {0};
    const char *rest = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    int64_t wall_ms = 0;
    unsigned fraction = 0;

    if (rest != NULL) {
        wall_ms = (int64_t)timegm(&parts) * 1000;
        if (sscanf(rest, ".%3u", &fraction) == 1)
            wall_ms += fraction;
    }
    json_decref(record);
    return wall_ms;
}
