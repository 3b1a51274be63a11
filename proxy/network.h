/*
 * network - addresses as 16 bytes (IPv4 mapped into IPv6), their texts, and networks of them.
 *
 * Threads  any; pure
 */
#ifndef PROXY_NETWORK_H
#define PROXY_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"

struct conf_networks;

enum { NETWORK_TEXT = 48 };

bool network_contains(const struct conf_networks *networks, const uint8_t address[16]);
/* "10.0.0.1", "::1", "[::1]:80", "10.0.0.1:80"; false when it is no address. */
bool network_parse_address(struct slice text, uint8_t address_out[16]);
/* "10.0.0.1" or "2001:db8::1"; returns text_out. */
char *network_write_address(const uint8_t address[16], char text_out[NETWORK_TEXT]);
/* False (and all zero) when it is neither IPv4 nor IPv6. */
bool network_from_sockaddr(const struct sockaddr *from, uint8_t address_out[16],
                           uint16_t *port_out);

#endif
