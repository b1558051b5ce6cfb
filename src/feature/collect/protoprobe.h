/* protoprobe.h - what a listener speaks, for those whose program cannot be seen (another user's, a
 * container's behind a proxy) and whose port says nothing: read what it says unasked (SSH, SMTP,
 * MySQL ... greet first), and, where even HTTP was no answer, put the two shortest polite questions
 * (PostgreSQL's SSLRequest, Redis's PING). Each connection is closed at once. Blocking: background
 * thread only. Sources: RFC 4253, 5321, 9051, 1939; PostgreSQL "Message Formats"; MySQL
 * "Protocol::HandshakeV10"; Redis "RESP".
 */
#ifndef COLLECT_PROTOPROBE_H
#define COLLECT_PROTOPROBE_H

#include "base/str.h"

#include <stdint.h>

#define PROTOPROBE_GREETING_MS 300 /* on loopback a greeting comes in under one */
#define PROTOPROBE_BYTES 256

/* Static kind ("ssh", "mysql", ...), or NULL: it did not say. address: textual, loopback. */
const char *protoprobe_listen(const char *address, uint16_t port);
const char *protoprobe_ask(const char *address, uint16_t port);

/* Pure. */
const char *protoprobe_greeting_kind(struct str bytes);
const char *protoprobe_postgres_kind(struct str bytes);
const char *protoprobe_redis_kind(struct str bytes);

#endif
