/*
 * tls_engine_fuzz - the engine's glue: bytes cut anyhow, garbage, and both ends of ours with what
 * goes between them cut, held back, and damaged.
 *
 * The first byte says what is played; the others are garbage for one end, or orders.
 *
 * Threads  the first
 * Invariant  The state goes one way only.  What comes out at one end is a beginning of what went in
 *            at the other, whatever happened in between; all of it where nothing was damaged.
 */
#include "tls/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/error.h"
#include "tests/fuzz/heads.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/self_signed.h"
#include "tls/tickets.h"
#include "tls/trust.h"

enum { MOST_BYTES = 64 * 1024, MOST_ORDERS = 96 };

static struct tls_server *server;
static struct tls_trust *trust;

static void set_up(void)
{
    struct tls_self_signed made;
    struct error why = {0};
    struct tls_choice choice = {0};
    struct tls_server_options options = {.name = "fuzz",
                                         .choices = &choice,
                                         .choice_count = 1,
                                         .profile = TLS_OLD,
                                         .alpn = TLS_ALPN_H2 | TLS_ALPN_HTTP1};
    struct tls_trust_options any = {.verifies = false};
    struct tls_certificate *certificate;

    CHECK(tls_self_signed_make(30, &made, &why));
    certificate = tls_certificate_load(slice_from(made.certificate), slice_from(made.key), &why);
    CHECK(certificate != NULL);
    choice.certificate = certificate;
    options.tickets = tls_tickets_new(1000);
    server = tls_server_new(&options, &why);
    trust = tls_trust_new(&any, &why);
    CHECK(server != NULL && trust != NULL);
    tls_certificate_free(&certificate);
    tls_self_signed_free(&made);
}

/* One end: what it has sent and the other has not been fed, and what it was told. */
struct end {
    struct tls_engine *engine;
    struct buffer wire;
    struct buffer said;  /* plaintext that it sent */
    struct buffer heard; /* plaintext that came out */
    enum tls_state state;
    bool says_no_more; /* it has ended its side: nobody sends after that */
};

static void send_wire(void *context, struct slice bytes)
{
    struct end *end = context;

    buffer_append(&end->wire, bytes.at, bytes.len);
}

static void note_state(struct end *end)
{
    enum tls_state state = tls_engine_state(end->engine);

    CHECK(state >= end->state || (end->state == TLS_ENDED && state == TLS_FAILED));
    CHECK(state != TLS_FAILED || tls_engine_why(end->engine)[0] != '\0');
    end->state = state;
}

static void feed(struct end *end, struct slice bytes)
{
    struct slice copy = exact_copy(bytes);
    char *out = malloc(bytes.len + TLS_HELD_BYTES);
    size_t count;

    CHECK(out != NULL);
    count = tls_engine_feed(end->engine, copy, out);
    CHECK(count <= bytes.len + TLS_HELD_BYTES);
    buffer_append(&end->heard, out, count);
    note_state(end);
    free(out);
    exact_free(copy);
}

static void init(struct end *end)
{
    *end = (struct end){.state = TLS_HANDSHAKE};
    buffer_init(&end->wire);
    buffer_init(&end->said);
    buffer_init(&end->heard);
}

static void fini(struct end *end)
{
    tls_engine_free(&end->engine);
    buffer_fini(&end->wire);
    buffer_fini(&end->said);
    buffer_fini(&end->heard);
}

/* Garbage, in pieces as long as its own bytes say. */
static void feed_garbage(struct end *end, struct slice bytes)
{
    while (bytes.len > 0) {
        size_t part = 1 + (unsigned char)bytes.at[0] * (size_t)3;

        part = part < bytes.len ? part : bytes.len;
        feed(end, slice_of(bytes.at, part));
        bytes = slice_after(bytes, part);
    }
    CHECK(buffer_length(&end->heard) == 0 && end->state != TLS_ENDED);
}

static bool is_beginning(const struct buffer *heard, const struct buffer *said)
{
    struct slice whole = buffer_slice(said);
    size_t len = buffer_length(heard);

    return len <= whole.len && (len == 0 || memcmp(buffer_slice(heard).at, whole.at, len) == 0);
}

/* Moves so many bytes from one end to the other. */
static void move(struct end *from, struct end *to, size_t most)
{
    size_t len = buffer_length(&from->wire);
    size_t part = len < most ? len : most;
    struct slice bytes = exact_copy(slice_of(buffer_slice(&from->wire).at, part));

    if (part > 0)
        buffer_consume(&from->wire, part);
    feed(to, bytes);
    exact_free(bytes);
}

static void say(struct end *end, uint8_t how_much)
{
    size_t len = (size_t)how_much * how_much;
    char *bytes = malloc(len + 1);

    CHECK(bytes != NULL);
    memset(bytes, how_much, len + 1);
    if (end->state == TLS_OPEN && !end->says_no_more &&
        buffer_length(&end->said) + len < MOST_BYTES &&
        tls_engine_send(end->engine, slice_of(bytes, len)))
        buffer_append(&end->said, bytes, len);
    note_state(end);
    free(bytes);
}

static bool damage(struct end *end, uint8_t where)
{
    size_t len = buffer_length(&end->wire);

    if (len == 0)
        return false;
    end->wire.data[end->wire.start + (size_t)where * 7 % len] ^= (char)(1u << (where % 8));
    return true;
}

/* True: something was damaged. */
static bool obey(struct end *ends, uint8_t order, uint8_t how)
{
    struct end *one = &ends[order & 1], *other = &ends[1 - (order & 1)];

    switch (order >> 1 & 7) {
    case 0:
    case 1: move(one, other, how); break;
    case 2: move(one, other, SIZE_MAX); break;
    case 3: say(one, how); break;
    case 4: return how > 200 && damage(one, how);
    case 5:
        if (how > 250) {
            tls_engine_end(one->engine);
            one->says_no_more = one->state == TLS_OPEN;
        }
        break;
    default: move(one, other, SIZE_MAX); move(other, one, SIZE_MAX);
    }
    return false;
}

static void both_ends(struct slice orders)
{
    struct end ends[2];
    bool is_damaged = false;

    init(&ends[0]);
    init(&ends[1]);
    ends[0].engine = tls_engine_accept(server, send_wire, &ends[0]);
    ends[1].engine = tls_engine_connect(trust, "localhost", NULL, send_wire, &ends[1]);
    feed(&ends[1], SLICE(""));
    for (size_t i = 0; i + 1 < orders.len && i < 2 * MOST_ORDERS; i += 2)
        is_damaged = obey(ends, (uint8_t)orders.at[i], (uint8_t)orders.at[i + 1]) || is_damaged;
    for (int turn = 0; turn < 8; turn++) {
        move(&ends[0], &ends[1], SIZE_MAX);
        move(&ends[1], &ends[0], SIZE_MAX);
    }
    for (int i = 0; i < 2; i++) {
        CHECK(is_beginning(&ends[i].heard, &ends[1 - i].said));
        CHECK(is_damaged || ends[i].state == TLS_OPEN || ends[i].state == TLS_ENDED);
        /* who has ended hears no more */
        CHECK(is_damaged || ends[i].state != TLS_OPEN ||
              buffer_length(&ends[i].heard) == buffer_length(&ends[1 - i].said));
    }
    fini(&ends[0]);
    fini(&ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of((const char *)data, size);
    struct end end;

    if (server == NULL)
        set_up();
    if (size == 0 || size > MOST_BYTES)
        return 0;
    if (data[0] % 4 > 1) {
        both_ends(slice_after(bytes, 1));
        return 0;
    }
    init(&end);
    end.engine = data[0] % 4 == 0 ? tls_engine_accept(server, send_wire, &end)
                                  : tls_engine_connect(trust, "localhost", NULL, send_wire, &end);
    feed_garbage(&end, slice_after(bytes, 1));
    fini(&end);
    return 0;
}
