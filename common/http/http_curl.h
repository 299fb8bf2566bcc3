/* SPDX-License-Identifier: Apache-2.0 */
/* http_curl - libcurl, loaded when the first request needs it
 *
 * Private to common/http. No program is linked with libcurl: it brings thirty libraries along,
 * which cost each start and each process, and most processes ask nothing that needs it
 * (http_plain.h). Its functions are here under their own names and pass on to the library, so that
 * calls look, and are checked, as everywhere.
 */
#ifndef HALE_HTTP_HTTP_CURL_H
#define HALE_HTTP_HTTP_CURL_H

#include "base/err.h"

/* What is loaded; a test says another. */
extern const char *http_curl_library;

/* Before any function of curl. -ENOSYS: it is not there. Loaded once, never unloaded. Loop thread.
 */
int http_curl_load(struct err *err);

#endif
