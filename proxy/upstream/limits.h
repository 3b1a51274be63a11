/*
 * limits - what a server's answer may hold, whoever asks: requests over HTTP/1 and HTTP/2, and
 * checks over HTTP/2.
 *
 * Threads  any: fixed
 */
#ifndef PROXY_UPSTREAM_LIMITS_H
#define PROXY_UPSTREAM_LIMITS_H

#include "proxy/http/h2_frames.h"

/* `.head` is of HTTP/1 too. */
extern const struct h2_limits upstream_limits;

#endif
