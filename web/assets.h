/* SPDX-License-Identifier: Apache-2.0 */
/* assets - the files of the dashboard, read once at start
 *
 * Only the files named in one table are ever served, from memory: a request's path never reaches
 * the file system. Each has an ETag of its content.
 */
#ifndef HALE_WEB_ASSETS_H
#define HALE_WEB_ASSETS_H

#include "base/err.h"
#include "reply.h"

struct assets;

/* -ENOENT … with the file that is missing. */
int assets_load(const char *dir, struct assets **a_r, struct err *err);
void assets_free(struct assets *a);
/* By name ("index.html"); NULL: no such file. Borrowed. etag_r is borrowed too. */
struct reply *assets_get(const struct assets *a, const char *name, const char **etag_r);
/* Where the build and the installation put them, relative to the program; caller frees. */
char *assets_dir(void);

#endif
