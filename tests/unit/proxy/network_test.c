/* network: addresses as 16 bytes, from text and to text, and the networks they are in. */
#include "proxy/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>

#include "config/model.h"

static void texts_that_are_addresses(void **state)
{
    static const struct {
        const char *text, *written; /* NULL: no address */
    } rows[] = {
        {"10.0.0.1", "10.0.0.1"},
        {"10.0.0.1:80", "10.0.0.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"::1", "::1"},
        {"[::1]", "::1"},
        {"[::1]:80", "::1"},
        {"2001:DB8::A", "2001:db8::a"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"", NULL},
        {"10.0.0", NULL},
        {"10.0.0.256", NULL},
        {"010.0.0.1", NULL},
        {"10.0.0.1.", NULL},
        {" 10.0.0.1", NULL},
        {"[::1", NULL},
        {"[10.0.0.1]", NULL},
        {"::g", NULL},
        {"unknown", NULL},
        {"_hidden", NULL},
        {":80", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t address[16];
        char text[NETWORK_TEXT];
        bool is_address = network_parse_address(slice_from(rows[i].text), address);

        if (is_address != (rows[i].written != NULL))
            fail_msg("%s: %d", rows[i].text, is_address);
        if (is_address)
            assert_string_equal(network_write_address(address, text), rows[i].written);
    }
}

static void every_ipv4_byte_is_written_as_it_is_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        char given[32], text[NETWORK_TEXT];
        uint8_t address[16];

        snprintf(given, sizeof(given), "%u.%u.0.%u", i, 255 - i, i);
        assert_true(network_parse_address(slice_from(given), address));
        assert_string_equal(network_write_address(address, text), given);
    }
}

static bool is_in(const char *address_text, const char *network_text, unsigned bits)
{
    struct conf_network one = {.prefix_bits = (uint8_t)bits};
    struct conf_networks networks = {.items = &one, .count = 1};
    uint8_t address[16];

    assert_true(network_parse_address(slice_from(network_text), one.address));
    assert_true(network_parse_address(slice_from(address_text), address));
    return network_contains(&networks, address);
}

static void networks_end_at_every_bit(void **state)
{
    (void)state;
    assert_true(is_in("10.1.2.3", "10.0.0.0", 96 + 8));
    assert_false(is_in("11.1.2.3", "10.0.0.0", 96 + 8));
    assert_true(is_in("10.0.0.3", "10.0.0.0", 96 + 30));
    assert_false(is_in("10.0.0.4", "10.0.0.0", 96 + 30));
    assert_true(is_in("10.0.0.1", "10.0.0.1", 128));
    assert_false(is_in("10.0.0.0", "10.0.0.1", 128));
    assert_true(is_in("10.0.0.1", "::", 0));
    assert_true(is_in("2001:db8::1", "2001:db8::", 33));
    assert_false(is_in("2001:db8:8000::1", "2001:db8::", 33));
    assert_false(is_in("2001:db8::1", "0.0.0.0", 96));
    assert_true(is_in("1.2.3.4", "0.0.0.0", 96));
}

static void socket_addresses(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(8080)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    struct sockaddr other = {.sa_family = AF_UNIX};
    uint8_t address[16];
    uint16_t port = 0;
    char text[NETWORK_TEXT];

    (void)state;
    v4.sin_addr.s_addr = htonl(0x7f000001);
    v6.sin6_addr = in6addr_loopback;
    assert_true(network_from_sockaddr((struct sockaddr *)&v4, address, &port));
    assert_string_equal(network_write_address(address, text), "127.0.0.1");
    assert_int_equal(port, 8080);
    assert_true(network_from_sockaddr((struct sockaddr *)&v6, address, &port));
    assert_string_equal(network_write_address(address, text), "::1");
    assert_int_equal(port, 443);
    assert_false(network_from_sockaddr(&other, address, &port));
    for (int i = 0; i < 16; i++)
        assert_int_equal(address[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_addresses),
        cmocka_unit_test(every_ipv4_byte_is_written_as_it_is_read),
        cmocka_unit_test(networks_end_at_every_bit),
        cmocka_unit_test(socket_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
