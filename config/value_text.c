/*
 * value_text - a value of the model as people read it.
 *
 * Owner    nobody      Threads  any
 */
#include "config/value_text.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "config/keys.h"
#include "config/model.h"
#include "config/text.h"

static uint64_t number_at(const struct key *key, const char *base)
{
    const void *at = base + key->offset;

    switch (key->bytes) {
    case 1: return *(const uint8_t *)at;
    case 2: return *(const uint16_t *)at;
    case 4: return *(const uint32_t *)at;
    case 8: return *(const uint64_t *)at;
    default: panic("%s: no number has %zu bytes", key->name, key->bytes);
    }
}

/* The told default without its parentheses, or "none". */
static void append_unset(const struct key *key, struct buffer *out)
{
    const char *text = key->default_text;

    if (text != NULL && text[0] == '(')
        buffer_append(out, text + 1, strlen(text) - 2);
    else
        buffer_append_literal(out, "none");
}

static void append_number(const struct key *key, uint64_t number, struct buffer *out)
{
    bool is_told = key->default_text == NULL || key->default_text[0] == '(';
    char text[32];

    if (is_told && number == key->unset)
        append_unset(key, out);
    else if (number == 0 && key->zero_word != NULL)
        buffer_printf(out, "%s", key->zero_word);
    else if (key->type == TYPE_SIZE)
        buffer_printf(out, "%s", text_of_size(number, text));
    else if (key->type == TYPE_DURATION)
        buffer_printf(out, "%s", text_of_duration(number, text));
    else if (key->type == TYPE_TIME)
        buffer_printf(out, "%s", clock_rfc3339((int64_t)number, text));
    else if (key->type == TYPE_CLOCK)
        buffer_printf(out, "%02u:%02u", (unsigned)number / 60, (unsigned)number % 60);
    else if (key->type == TYPE_FLAG)
        buffer_printf(out, "%s", number != 0 ? "true" : "false");
    else if (key->type == TYPE_NUMBER)
        buffer_printf(out, "%d", (int)(int32_t)number);
    else
        buffer_append_u64(out, number);
}

static void append_word(const struct key *key, const char *base, struct buffer *out)
{
    const char *words = key->words;
    uint64_t index = number_at(key, base);
    char one[64] = "";

    for (uint64_t i = 0; i <= index; i++)
        CHECK(words_next(&words, one, sizeof(one)));
    buffer_printf(out, "%s", one);
    if (one[strlen(one) - 1] == ':')
        buffer_printf(out, "%s", *(const char *const *)(const void *)(base + key->second));
}

static void append_words(const struct key *key, const char *base, struct buffer *out)
{
    const char *words = key->words;
    uint64_t bits = number_at(key, base);
    const char *between = "";
    char one[64];

    if (bits == key->unset && key->unset != 0) {
        append_unset(key, out);
        return;
    }
    buffer_append_literal(out, "[");
    for (uint64_t bit = 1; words_next(&words, one, sizeof(one)); bit <<= 1) {
        if ((bits & bit) == 0)
            continue;
        buffer_printf(out, "%s%s", between, one);
        between = ", ";
    }
    buffer_append_literal(out, "]");
}

/* Enough to tell two apart, and no more. */
static void append_secret(const void *bytes, size_t count, struct buffer *out)
{
    struct digest digest = digest_of(slice_of(bytes, count));

    buffer_printf(out, "(secret %02x%02x%02x%02x)", digest.bytes[0], digest.bytes[1],
                  digest.bytes[2], digest.bytes[3]);
}

static void append_token(const void *item, struct buffer *out)
{
    const struct conf_token *token = item;

    if (token->id != NULL)
        buffer_printf(out, "%s ", token->id);
    append_secret(token->hash, sizeof(token->hash), out);
}

static void append_count(const void *item, struct buffer *out)
{
    buffer_append_u64(out, *(const uint64_t *)item);
}

static void append_network(const void *item, struct buffer *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const struct conf_network *network = item;
    bool is_ipv4 = network->prefix_bits >= 96 && memcmp(network->address, mapped, 12) == 0;
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, network->address + (is_ipv4 ? 12 : 0), text,
                    sizeof(text));
    buffer_printf(out, "%s/%d", text, network->prefix_bits - (is_ipv4 ? 96 : 0));
}

static void append_text(const void *item, struct buffer *out)
{
    buffer_printf(out, "%s", *(const char *const *)item);
}

static void append_edit(const void *item, struct buffer *out)
{
    const struct conf_header_edit *edit = item;

    buffer_printf(out, "%s: %s", edit->name, edit->value);
}

static void append_share(const void *item, struct buffer *out)
{
    const struct conf_split *split = item;

    buffer_printf(out, "%s: %u", split->pool_name, split->weight);
}

static void append_range(const void *item, struct buffer *out)
{
    const struct conf_status_range *range = item;

    buffer_printf(out, range->from == range->to ? "%u" : "%u-%u", range->from, range->to);
}

typedef void append_fn(const void *item, struct buffer *out);

static void append_list(const struct key *key, const char *base, append_fn *append, size_t bytes,
                        struct buffer *out)
{
    const struct key_list *list = (const void *)(base + key->offset);

    if (list->count == 0 && (key->default_text == NULL || key->default_text[0] == '(')) {
        append_unset(key, out);
        return;
    }
    buffer_append_literal(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buffer_append_literal(out, ", ");
        append((const char *)list->items + i * bytes, out);
    }
    buffer_append_literal(out, "]");
}

/* Objects of a shape, in their order. */
static void append_objects(const struct key *key, const char *base, struct buffer *out)
{
    const struct key_list *list = (const void *)(base + key->offset);
    const struct shape *shape = shape_of(key->shape);

    buffer_append_literal(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        buffer_printf(out, "%s{", i > 0 ? ", " : "");
        for (size_t j = 0; j < shape->key_count; j++) {
            buffer_printf(out, "%s%s: ", j > 0 ? ", " : "", shape->keys[j].name);
            value_text(&shape->keys[j], (const char *)list->items + i * shape->bytes, out);
        }
        buffer_append_literal(out, "}");
    }
    buffer_append_literal(out, "]");
}

static void append_plain(const struct key *key, const char *base, struct buffer *out)
{
    const char *text = *(const char *const *)(const void *)(base + key->offset);

    if (text == NULL)
        append_unset(key, out);
    else if (key->is_secret)
        append_secret(text, strlen(text), out);
    else
        buffer_printf(out, "%s", text);
}

void value_text(const struct key *key, const char *base, struct buffer *out)
{
    switch (key->type) {
    case TYPE_COUNT:
    case TYPE_NUMBER:
    case TYPE_FLAG:
    case TYPE_SIZE:
    case TYPE_TIME:
    case TYPE_CLOCK:
    case TYPE_DURATION: append_number(key, number_at(key, base), out); break;
    case TYPE_WORDS: append_words(key, base, out); break;
    case TYPE_COUNTS: append_list(key, base, append_count, sizeof(uint64_t), out); break;
    case TYPE_TOKENS: append_list(key, base, append_token, sizeof(struct conf_token), out); break;
    case TYPE_LIST: append_objects(key, base, out); break;
    case TYPE_WORD:
    case TYPE_CHOICE: append_word(key, base, out); break;
    case TYPE_LISTEN_ADDRESS:
    case TYPE_SERVER_ADDRESS:
        buffer_printf(out, "%s",
                      ((const struct conf_address *)(const void *)(base + key->offset))->text);
        break;
    case TYPE_STATUS_RANGES:
        append_list(key, base, append_range, sizeof(struct conf_status_range), out);
        break;
    case TYPE_NETWORKS:
        append_list(key, base, append_network, sizeof(struct conf_network), out);
        break;
    case TYPE_HEADER_MATCH:
    case TYPE_HEADER_SET:
        append_list(key, base, append_edit, sizeof(struct conf_header_edit), out);
        break;
    case TYPE_SPLIT: append_list(key, base, append_share, sizeof(struct conf_split), out); break;
    case TYPE_HOSTS:
    case TYPE_METHODS:
    case TYPE_NAMES:
    case TYPE_TEXTS:
    case TYPE_URLS:
    case TYPE_HEADER_NAMES: append_list(key, base, append_text, sizeof(char *), out); break;
    default: append_plain(key, base, out);
    }
}
