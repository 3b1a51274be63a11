/*
 * log - the structured log: one line, one write(2).
 *
 * Threads  any but workers.  The counters of repeats are atomics: a lost count is no harm.
 */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"

enum { EVENTS_PER_SECOND = 20, LINE_BYTES = 8192, FIELD_BYTES = 1024 };

struct event_row {
    enum log_level level;
    const char *word;
};

static const struct event_row events[EVENT_COUNT] = {
#define EVENT(name, level, word, help) [EV_##name] = {LOG_##level, word},
#include "base/events.def"
#undef EVENT
};

static const char *const level_words[] = {"debug", "notice", "warning", "error"};
static _Atomic int least_level = LOG_NOTICE;

struct repeat {
    _Atomic uint64_t second;
    _Atomic uint32_t seen;
    _Atomic uint32_t left_out;
};
static struct repeat repeats[EVENT_COUNT];

void log_set_level(enum log_level level)
{
    atomic_store(&least_level, (int)level);
}

/* Length of the UTF-8 sequence at `at`, or 0 when it is none (overlong, surrogate, cut). */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    size_t len = at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;

    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return len;
}

static size_t escape_byte(unsigned char c, char *out)
{
    static const char hex[] = "0123456789abcdef";

    memcpy(out, "\\u00", 4);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

/* Bytes that stand for themselves in a JSON string. */
static const bool plain[256] = {
    [' '] = true,
    ['!'] = true,
    ['#' ... '['] = true,
    [']' ... '~'] = true,
};

/* Eight bytes at once: none is a control character, a quote, a backslash or beyond ASCII. */
static bool are_plain(const unsigned char *at)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t word, quote, slash, del;

    memcpy(&word, at, 8);
    quote = word ^ ones * '"';
    slash = word ^ ones * '\\';
    del = word ^ ones * 0x7f;
    return ((word | (word - ones * 0x20) | (quote - ones) | (slash - ones) | (del - ones)) &
            highs) == 0;
}

/* One character that is not plain: writes it, returns the bytes of it. */
static size_t escape_one(const unsigned char *at, size_t left, char *out, size_t *written)
{
    size_t len = at[0] >= 0x80 ? utf8_length(at, left) : 0;

    if (len == 2 && at[0] == 0xc2 && at[1] < 0xa0) { /* U+0080 to U+009F: terminals obey them */
        *written = escape_byte(at[1], out);
    } else if (len > 0) {
        memcpy(out, at, len);
        *written = len;
    } else if (at[0] == '"' || at[0] == '\\') {
        out[0] = '\\';
        out[1] = (char)at[0];
        *written = 2;
    } else {
        *written = escape_byte(at[0], out);
    }
    return len > 0 ? len : 1;
}

/* Copies a text of at least eight bytes if it is plain; the last eight overlap. */
static bool copy_plain(const unsigned char *at, size_t len, char *out)
{
    for (size_t i = 0; i + 8 < len; i += 8) {
        if (!are_plain(at + i))
            return false;
        memcpy(out + i, at + i, 8);
    }
    if (!are_plain(at + len - 8))
        return false;
    memcpy(out + len - 8, at + len - 8, 8);
    return true;
}

size_t log_escape(struct slice text, char *out)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t n = 0;

    if (text.len >= 8 && copy_plain(at, text.len, out))
        return text.len;
    for (size_t i = 0; i < text.len;) {
        size_t written;

        if (plain[at[i]]) {
            out[n++] = (char)at[i++];
        } else {
            i += escape_one(at + i, text.len - i, out + n, &written);
            n += written;
        }
    }
    return n;
}

/* How many of this event were left out before this one; -1 when this one is left out too. */
static int64_t limit_repeats(struct repeat *repeat)
{
    uint64_t second = clock_ns() / 1000000000u;

    if (atomic_exchange(&repeat->second, second) != second)
        atomic_store(&repeat->seen, 0);
    if (atomic_fetch_add(&repeat->seen, 1) >= EVENTS_PER_SECOND) {
        atomic_fetch_add(&repeat->left_out, 1);
        return -1;
    }
    return (int64_t)atomic_exchange(&repeat->left_out, 0);
}

static size_t append_field(const struct log_field *field, char *out, size_t room)
{
    int head;
    struct slice text = field->text;

    if (field->kind == LOG_FIELD_NUMBER) {
        int len = snprintf(out, room, ",\"%s\":%lld", field->key, (long long)field->number);

        return len > 0 && (size_t)len < room ? (size_t)len : 0;
    }
    if (text.len > FIELD_BYTES)
        text.len = FIELD_BYTES;
    if (room < text.len * 6 + 80)
        return 0;
    head = snprintf(out, room, ",\"%s\":\"", field->key);
    size_t n = (size_t)head;
    n += log_escape(text, out + n);
    out[n++] = '"';
    return n;
}

void log_event_fields(enum event event, const struct log_field *fields, size_t count)
{
    const struct event_row *row = &events[event];
    char line[LINE_BYTES];
    char when[CLOCK_RFC3339_TEXT];
    int64_t left_out;
    size_t n;

    CHECK(thread_role_now != THREAD_WORKER);
    if ((int)row->level < atomic_load(&least_level))
        return;
    left_out = limit_repeats(&repeats[event]);
    if (left_out < 0)
        return;
    n = (size_t)snprintf(line, sizeof(line), "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"",
                         clock_rfc3339(clock_wall_ms(), when), level_words[row->level], row->word);
    for (size_t i = 0; i < count; i++)
        n += append_field(&fields[i], line + n, sizeof(line) - n - 64);
    if (left_out > 0)
        n += (size_t)snprintf(line + n, 48, ",\"left_out\":%lld", (long long)left_out);
    memcpy(line + n, "}\n", 2);
    /* stderr gone means nobody reads: there is nothing better to do than go on. */
    if (write(STDERR_FILENO, line, n + 2) < 0)
        return;
}
