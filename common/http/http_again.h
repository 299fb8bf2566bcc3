/* SPDX-License-Identifier: Apache-2.0 */
/* http_again - a request kept, to be made again by another way
 *
 * Private to common/http. The texts are copied, the headers shared.
 */
#ifndef HALE_HTTP_HTTP_AGAIN_H
#define HALE_HTTP_HTTP_AGAIN_H

#include "http/http.h"

struct http_request *http_again_new(const struct http_request *rq);
void http_again_free(struct http_request *again);

#endif
