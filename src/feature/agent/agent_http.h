/* agent_http.h - the three requests of hinomi-agent, ready to be put into the server's routes. They
 * do their own authentication (the agent's credential, or the enrol token), so the door must let
 * them through. `self` is a struct agent_server *. */
#ifndef AGENT_AGENT_HTTP_H
#define AGENT_AGENT_HTTP_H

#include "net/http_server.h"

#define AGENT_HTTP_ROUTES 3
extern const struct http_route
    agent_http_routes[AGENT_HTTP_ROUTES]; /* self: to be filled in by the caller */

void agent_http_enroll(void *server, struct http_req *req,
                       struct http_res *res); /* POST /api/hinomi/agent/enroll */
void agent_http_write(void *server, struct http_req *req,
                      struct http_res *res); /* POST /api/hinomi/agent/write */
void agent_http_poll(void *server, struct http_req *req,
                     struct http_res *res); /* GET  /api/hinomi/agent */

#endif
