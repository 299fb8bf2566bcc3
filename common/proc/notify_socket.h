/* SPDX-License-Identifier: Apache-2.0 */
/* notify_socket - the datagram socket on which one child speaks sd_notify(3) to haled
 *
 * Each child has its own; the kernel's credentials say who sent, and only the child's own process
 * (or one in its session) is believed. A path stands in the run directory, where only haled's user
 * may go; what runs as another user gets a name in the abstract namespace ("@name"), which needs
 * no right to be reached, as systemd's own socket does.
 */
#ifndef HALE_PROC_NOTIFY_SOCKET_H
#define HALE_PROC_NOTIFY_SOCKET_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

/* Longest datagram read; sd_notify's own messages are far shorter. */
#define NOTIFY_MESSAGE_MAX 4096

struct notify_socket;

/* key "READY", value "1". */
typedef void (*notify_fn)(void *ctx, const char *key, const char *value);

int notify_socket_open(uv_loop_t *loop, const char *path, notify_fn on_notify, void *ctx,
		       struct notify_socket **s_r, struct err *err);
/* What NOTIFY_SOCKET says of it: the path, or "@name-<random>", so that nobody can have taken the
 * name before. Borrowed. */
const char *notify_socket_address(const struct notify_socket *s);
/* The same with a socket that is bound already (before an exec, notify_socket_fd() and
 * notify_socket_address() told of it); fd is taken. */
struct notify_socket *notify_socket_adopt(uv_loop_t *loop, const char *address, int fd,
					  notify_fn on_notify, void *ctx);
int notify_socket_fd(const struct notify_socket *s); /* borrowed */
/* Who may write to its file, if it has one: nobody else but root. */
void notify_socket_give(const struct notify_socket *s, uid_t uid);
/* Whose words count from now on; 0 nobody's. */
void notify_socket_expect(struct notify_socket *s, pid_t session);
/* Unlinks the path, closes the handle, frees. */
void notify_socket_close(struct notify_socket *s);

#endif
