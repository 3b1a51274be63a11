/* proxy_protocol: headers of both versions, whole, in pieces and malformed. */
#include <arpa/inet.h>

#include "proxy/http/proxy_protocol.h"

#include "tests/unit/proxy_http/heads.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\x01\x02\x03\x04\x05\x06\x07\x08\x12\x34\x00\x50"
#define V6                                                                                         \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                   \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"                                                           \
    "\x12\x34\x00\x50"
#define UNIX54 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define UNIX   UNIX54 UNIX54 UNIX54 UNIX54

struct row {
    const char *name;
    enum proxy_protocol_result result;
    struct slice bytes;
    const char *address; /* NULL: not known */
    unsigned port;
    size_t rest;
};

#define GOOD(name, address, port, rest, text)                                                      \
    {                                                                                              \
        (name), PROXY_PROTOCOL_DONE, SLICE_INIT(text), (address), (port), (rest)                   \
    }
#define BAD(name, text)                                                                            \
    {                                                                                              \
        (name), PROXY_PROTOCOL_MALFORMED, SLICE_INIT(text), NULL, 0, 0                             \
    }

static const struct row rows[] = {
    GOOD("TCP4", "::ffff:1.2.3.4", 56324, 4, "PROXY TCP4 1.2.3.4 5.6.7.8 56324 443\r\nGET "),
    GOOD("TCP6", "2001:db8::1", 65535, 0, "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n"),
    GOOD("the longest TCP6", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, 0,
         "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "65535 65535\r\n"),
    GOOD("UNKNOWN", NULL, 0, 1, "PROXY UNKNOWN\r\nG"),
    GOOD("UNKNOWN with a space", NULL, 0, 0, "PROXY UNKNOWN \r\n"),
    BAD("only a family", "PROXY TCP4\r\n"),
    GOOD("UNKNOWN with more", NULL, 0, 0, "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"),
    BAD("a request", "GET / HTTP/1.1\r\n\r\n"),
    BAD("small letters", "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    BAD("no family", "PROXY \r\n"),
    BAD("another family", "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    BAD("UNKNOWN and a letter", "PROXY UNKNOWNX\r\n"),
    BAD("two spaces", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"),
    BAD("a space at the end", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"),
    BAD("a word at the end", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"),
    BAD("no port", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"),
    BAD("port too large", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n"),
    BAD("port with noughts", "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"),
    BAD("port with plus", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"),
    BAD("IPv6 as TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n"),
    BAD("IPv4 as TCP6", "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"),
    BAD("an address too long", "PROXY TCP4 1.2.3.4.5 5.6.7.8 1 2\r\n"),
    BAD("a NUL behind an address", "PROXY TCP4 1.2.3.4\0x 5.6.7.8 1 2\r\n"),
    BAD("a NUL behind a port", "PROXY TCP4 1.2.3.4 5.6.7.8 1\0 2\r\n"),
    BAD("a NUL behind the family", "PROXY TCP4\0 1.2.3.4 5.6.7.8 1 2\r\n"),
    BAD("bare LF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"),
    BAD("tab", "PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    BAD("no end in 107 bytes",
        "PROXY UNKNOWN "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),

    GOOD("v2 TCP4", "::ffff:1.2.3.4", 0x1234, 2, SIGNATURE "\x21\x11\x00\x0c" V4 "GE"),
    GOOD("v2 TCP6", "2001:db8::1", 0x1234, 0, SIGNATURE "\x21\x21\x00\x24" V6),
    GOOD("v2 TCP4 with a TLV", "::ffff:1.2.3.4", 0x1234, 0,
         SIGNATURE "\x21\x11\x00\x11" V4 "\x04\x00\x02xy"),
    GOOD("v2 TCP4 with an empty TLV", "::ffff:1.2.3.4", 0x1234, 0,
         SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\x00\x00"),
    GOOD("v2 LOCAL", NULL, 0, 0, SIGNATURE "\x20\x00\x00\x00"),
    GOOD("v2 LOCAL with an address", NULL, 0, 1, SIGNATURE "\x20\x11\x00\x0c" V4 "G"),
    GOOD("v2 unspecified", NULL, 0, 0, SIGNATURE "\x21\x00\x00\x00"),
    GOOD("v2 unspecified, bytes to pass over", NULL, 0, 0,
         SIGNATURE "\x21\x00\x00\x05\x01\x02\x03\x04\x05"),
    GOOD("v2 UDP4", NULL, 0, 0, SIGNATURE "\x21\x12\x00\x0c" V4),
    GOOD("v2 Unix", NULL, 0, 0, SIGNATURE "\x21\x31\x00\xd8" UNIX),
    BAD("v2 signature broken", "\r\n\r\n\0\r\nQUIT\r"),
    BAD("v2 version 1", SIGNATURE "\x11\x11\x00\x0c" V4),
    BAD("v2 version 3", SIGNATURE "\x31\x11\x00\x0c" V4),
    BAD("v2 command 2", SIGNATURE "\x22\x11\x00\x0c" V4),
    BAD("v2 family 4", SIGNATURE "\x21\x41\x00\x0c" V4),
    BAD("v2 transport 3", SIGNATURE "\x21\x13\x00\x0c" V4),
    BAD("v2 address too short", SIGNATURE "\x21\x11\x00\x0b" V4),
    BAD("v2 TCP6 with an IPv4 address", SIGNATURE "\x21\x21\x00\x0c" V4),
    BAD("v2 TLV longer than the header", SIGNATURE "\x21\x11\x00\x11" V4 "\x04\x00\x03xy"),
    BAD("v2 TLV cut", SIGNATURE "\x21\x11\x00\x0e" V4 "\x04\x00"),
    BAD("v2 longer than is read", SIGNATURE "\x21\x11\xff\xff" V4),
};

static void check_source(const struct row *row, const struct proxy_protocol_source *source)
{
    uint8_t address[16];

    if (source->is_known != (row->address != NULL))
        fail_msg("%s: known", row->name);
    if (row->address == NULL)
        return;
    assert_int_equal(inet_pton(AF_INET6, row->address, address), 1);
    assert_memory_equal(source->address, address, 16);
    assert_int_equal(source->port, row->port);
}

static void test_headers_of_both_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice bytes = exact(rows[i].bytes);
        struct proxy_protocol_source source;
        size_t used = 0;

        if (proxy_protocol_read(bytes, &source, &used) != rows[i].result)
            fail_msg("%s", rows[i].name);
        if (rows[i].result == PROXY_PROTOCOL_DONE) {
            check_source(&rows[i], &source);
            assert_int_equal(bytes.len - used, rows[i].rest);
        }
        test_free((void *)(uintptr_t)bytes.at);
    }
}

static void test_a_header_may_come_byte_for_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum proxy_protocol_result result = PROXY_PROTOCOL_INCOMPLETE;
        struct proxy_protocol_source source;
        size_t used = 0;
        size_t len = 0;

        while (result == PROXY_PROTOCOL_INCOMPLETE && len <= rows[i].bytes.len) {
            struct slice part = exact(slice_of(rows[i].bytes.at, len++));

            result = proxy_protocol_read(part, &source, &used);
            test_free((void *)(uintptr_t)part.at);
        }
        if (result != rows[i].result)
            fail_msg("%s", rows[i].name);
        if (result == PROXY_PROTOCOL_DONE) {
            check_source(&rows[i], &source);
            assert_int_equal(used, rows[i].bytes.len - rows[i].rest);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_of_both_versions),
        cmocka_unit_test(test_a_header_may_come_byte_for_byte),
    };

    return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}
