/*
 * access_log - a record as one line of JSON.
 *
 * Written by hand because its cost is part of every request's: literals are copied, numbers
 * are written digit by digit, the second's text is kept.
 *
 * Owner    the observer.      Threads  one at a time
 */
#include "observe/access_log.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "observe/record.h"

/* Texts may grow sixfold; 2 KiB hold the field names, the numbers and the words of our tables. */
_Static_assert(RECORD_TEXT_BYTES * 6 + 2048 <= ACCESS_LOG_LINE_BYTES, "a line has room");

#define PUT(at, literal)                                                                           \
    ((char *)memcpy((at), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

void access_log_init(struct access_log *log, const char *const *reason_words,
                     const char *const *failure_words)
{
    *log = (struct access_log){reason_words, failure_words, INT64_MIN, ""};
}

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    char *first = digits + sizeof(digits);

    do
        *--first = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    size_t count = (size_t)(digits + sizeof(digits) - first);
    memcpy(at, first, count);
    return at + count;
}

static char *put_three_digits(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 100);
    at[1] = (char)('0' + value / 10 % 10);
    at[2] = (char)('0' + value % 10);
    return at + 3;
}

/* Microseconds as decimal milliseconds. */
static char *put_ms(char *at, uint32_t us)
{
    at = put_number(at, us / 1000);
    *at++ = '.';
    return put_three_digits(at, us % 1000);
}

static char *put_boolean(char *at, bool value)
{
    return value ? PUT(at, "true") : PUT(at, "false");
}

static char *put_time(struct access_log *log, char *at, int64_t wall_ms)
{
    int64_t second = wall_ms / 1000;

    if (second != log->second) {
        char text[CLOCK_RFC3339_TEXT];

        clock_rfc3339(second * 1000, text);
        memcpy(log->time_text, text, 20); /* to the point before the milliseconds */
        log->second = second;
    }
    memcpy(at, log->time_text, 20);
    at = put_three_digits(at + 20, (unsigned)(wall_ms - second * 1000));
    return PUT(at, "Z");
}

static char *put_ipv4(char *at, const uint8_t address[4])
{
    for (int i = 0; i < 4; i++) {
        at = put_number(at, address[i]);
        *at++ = i < 3 ? '.' : ':';
    }
    return at;
}

static char *put_client(char *at, const struct record *record)
{
    static const uint8_t none[16];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *address = record->client_address;

    if (memcmp(address, none, 16) == 0 && record->client_port == 0)
        return PUT(at, "unix");
    if (memcmp(address, mapped, 12) == 0) {
        at = put_ipv4(at, address + 12);
    } else {
        *at++ = '[';
        inet_ntop(AF_INET6, address, at, INET6_ADDRSTRLEN);
        at += strlen(at);
        at = PUT(at, "]:");
    }
    return put_number(at, record->client_port);
}

/* Where each text of the record begins; they lie one after the other. */
struct texts {
    struct slice of[RECORD_TEXTS];
};

static void find_texts(struct texts *texts, const struct record *record)
{
    const char *at = record->text;

    for (unsigned i = 0; i < RECORD_TEXTS; i++) {
        texts->of[i] = slice_of(at, record->text_lengths[i]);
        at += record->text_lengths[i];
    }
}

/* A JSON string, or null when there is nothing. */
static char *put_text(char *at, struct slice text)
{
    if (text.len == 0)
        return PUT(at, "null");
    *at++ = '"';
    at += log_escape(text, at);
    *at++ = '"';
    return at;
}

static char *put_word(char *at, const char *word)
{
    return put_text(at, slice_from(word));
}

static char *put_status(char *at, uint16_t status)
{
    return status == 0 ? PUT(at, "null") : put_number(at, status);
}

static char *put_version(char *at, uint8_t version)
{
    at[0] = (char)('0' + version / 10);
    at[1] = '.';
    at[2] = (char)('0' + version % 10);
    return at + 3;
}

static char *put_request(char *at, const struct record *record, const struct texts *texts)
{
    at = put_text(PUT(at, ",\"listener\":"), texts->of[RECORD_LISTENER]);
    at = put_client(PUT(at, ",\"client\":\""), record);
    at = put_text(PUT(at, "\",\"method\":"), texts->of[RECORD_METHOD]);
    at = put_text(PUT(at, ",\"host\":"), texts->of[RECORD_HOST]);
    at = put_text(PUT(at, ",\"path\":"), texts->of[RECORD_PATH]);
    at = put_version(PUT(at, ",\"protocol\":\"HTTP/"), record->http_version);
    at = put_status(PUT(at, "\",\"status\":"), record->status);
    return put_status(PUT(at, ",\"server_status\":"), record->server_status);
}

static char *put_choice(const struct access_log *log, char *at, const struct record *record,
                        const struct texts *texts)
{
    at = put_text(PUT(at, ",\"route\":"), texts->of[RECORD_ROUTE]);
    at = put_text(PUT(at, ",\"pool\":"), texts->of[RECORD_POOL]);
    at = put_text(PUT(at, ",\"server\":"), texts->of[RECORD_SERVER]);
    at = put_text(PUT(at, ",\"server_address\":"), texts->of[RECORD_SERVER_ADDRESS]);
    at = put_number(PUT(at, ",\"attempts\":"), record->attempts);
    at = PUT(at, ",\"why\":");
    /* Nothing was chosen where nothing was tried. */
    at = record->attempts > 0 ? put_word(at, log->reason_words[record->reason]) : PUT(at, "null");
    if (record->failure != 0)
        at = put_word(PUT(at, ",\"failure\":"), log->failure_words[record->failure]);
    if (texts->of[RECORD_SERVER_TLS].len > 0)
        at = put_text(PUT(at, ",\"server_tls\":"), texts->of[RECORD_SERVER_TLS]);
    return put_boolean(PUT(at, ",\"reused\":"), record->is_reused);
}

static char *put_tls(char *at, const struct record *record, const struct texts *texts)
{
    if (texts->of[RECORD_TLS_VERSION].len == 0)
        return at;
    at = put_text(PUT(at, ",\"tls\":{\"version\":"), texts->of[RECORD_TLS_VERSION]);
    at = put_text(PUT(at, ",\"cipher\":"), texts->of[RECORD_TLS_CIPHER]);
    at = put_boolean(PUT(at, ",\"resumed\":"), record->is_tls_resumed);
    at = put_text(PUT(at, ",\"server_name\":"), texts->of[RECORD_TLS_NAME]);
    at = put_text(PUT(at, ",\"client\":"), texts->of[RECORD_TLS_CLIENT]);
    return PUT(at, "}");
}

static char *put_phases(char *at, const struct record *record)
{
    at = put_ms(PUT(at, ",\"phases\":{\"head_ms\":"), record->head_us);
    at = put_ms(PUT(at, ",\"queue_ms\":"), record->queued_us);
    at = put_ms(PUT(at, ",\"connect_ms\":"), record->connect_us);
    at = PUT(at, ",\"first_byte_ms\":");
    at = record->first_byte_us == 0 ? PUT(at, "null") : put_ms(at, record->first_byte_us);
    at = put_ms(PUT(at, ",\"total_ms\":"), record->total_us);
    return PUT(at, "}");
}

size_t access_log_format(struct access_log *log, const struct record *record, char *out)
{
    struct texts texts;
    char *at = PUT(out, "{\"time\":\"");

    find_texts(&texts, record);
    at = put_time(log, at, record->wall_ms);
    *at++ = '"';
    at = put_request(at, record, &texts);
    at = put_choice(log, at, record, &texts);
    at = put_number(PUT(at, ",\"received_bytes\":"), record->received_bytes);
    at = put_number(PUT(at, ",\"sent_bytes\":"), record->sent_bytes);
    at = put_phases(at, record);
    at = put_text(PUT(at, ",\"request_id\":"), texts.of[RECORD_REQUEST_ID]);
    at = put_text(PUT(at, ",\"user_agent\":"), texts.of[RECORD_USER_AGENT]);
    at = put_text(PUT(at, ",\"referer\":"), texts.of[RECORD_REFERER]);
    at = put_boolean(PUT(at, ",\"tunnel\":"), record->is_tunnel);
    at = put_tls(at, record, &texts);
    at = PUT(at, "}\n");
    return (size_t)(at - out);
}
