/* SPDX-License-Identifier: Apache-2.0 */
/* http_endpoints - what several askings come to, as one component
 *
 * All answer well: pass. Some do not: warn, endpoints_fail. None does: the verdict of the first.
 */
#ifndef HALE_CHECKERS_HTTP_ENDPOINTS_H
#define HALE_CHECKERS_HTTP_ENDPOINTS_H

#include "http_ask.h"
#include "http_window.h"

/* Metrics that any component has: rate limit, login, certificate; of several the worst. */
void http_tell_common(struct check *c, const struct ask *asks, size_t n);
/* Takes the askings into the window (those that failed with the component's timeout) and tells its
 * figures. */
void http_tell_window(struct check *c, struct http_window *window, const struct ask *asks,
		      size_t n);
/* Ends the run of a component with endpoints: metrics, details, check_done(). */
void http_endpoints_done(struct check *c, const struct ask *asks, size_t n);

#endif
