/* SPDX-License-Identifier: Apache-2.0 */
/* confine - what each process may do, in one table, and the means that hold it to that
 *
 * confine.c has the table and nothing else; confine_apply.c brings it into force by
 * confine_privileges.c (capabilities, rlimits, no_new_privs, dumpable), confine_landlock.c (files,
 * TCP, signals) and confine_seccomp.c (system calls). confine_probe.c tries what is forbidden.
 * Applied by the child as soon as it has read its slice, while it is still one thread: Landlock
 * binds the calling thread and those it makes later. What a kernel or a lack of privilege does not
 * allow is reported, never fatal: haled run unprivileged works too, and says what it could not do.
 *
 * A row says what a process may do by its nature, the options of its slice what else it was asked
 * to do: a path given to an option that is flagged so (CONF_F_READ_FILE … in conf/option.h) may be
 * read or written, a target may be connected to.
 *
 * Ownership: caller owns struct confine; zero-initialised is valid, confine_done() frees.
 * Loop:      confine_apply before there are threads; the others on the loop thread, brief.
 * See also:  docs/security.md
 */
#ifndef HALE_SERVICE_CONFINE_H
#define HALE_SERVICE_CONFINE_H

#include "base/str.h"
#include "base/strlist.h"
#include "conf/manifest.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* ---- The table (confine.c; pure) ---- */

enum confine_network {
	CONFINE_NET_NONE = 0,
	CONFINE_NET_CONNECT = 1,  /* to others */
	CONFINE_NET_LISTEN = 2,   /* for TCP connections */
	CONFINE_NET_IF_ASKED = 4, /* CONNECT if the slice names a target */
};

enum confine_files {
	CONFINE_FILES_CONFIGURED,  /* libraries, name resolution, certificates, what options name */
	CONFINE_FILES_READ_STATE,  /* and the state directory */
	CONFINE_FILES_WRITE_STATE, /* and write there */
	CONFINE_FILES_ANY,         /* as the user may: no Landlock */
};

enum confine_calls {
	CONFINE_CALLS_SERVICE, /* what no process of ours needs is refused, execve among it */
	CONFINE_CALLS_MACHINE, /* only what would stop or change the machine is refused */
};

struct confine_row {
	const char *service;   /* fnmatch(3) pattern of the process's name */
	const char *user;      /* who it runs as; haled sees to it */
	uint64_t capabilities; /* kept of those haled had: bits 1 << CAP_… */
	enum confine_files files;
	const char *state; /* of READ_STATE, WRITE_STATE: only this folder of it; NULL: all of it */
	unsigned network;  /* CONFINE_NET_… */
	enum confine_calls calls;
	rlim_t nofile;         /* open files; checks and clients are connections */
	rlim_t data_bytes;     /* a leak ends here, in a restart, and not in the machine's swap */
	bool is_secret_holder; /* not dumpable: no core, no ptrace, closed /proc/<pid> */
};

#define CONFINE_CAPABILITIES_ALL UINT64_MAX

/* The first row that fits; the last fits all. */
const struct confine_row *confine_row_for(const char *service);
/* All rows as they read in docs/security.md: [{"process", "user", "capabilities", "files",
 * "network", "programs", "system_calls", "limits"}], texts. New reference. */
json_t *confine_table(void);
/* "dac_override, net_raw"; "none", "all". Appends. */
void confine_capabilities_text(uint64_t capabilities, struct str *out);
const char *confine_network_text(unsigned network);

/* ---- What a slice asks for (confine_needs.c; pure) ---- */

struct confine_needs {
	struct strlist files;   /* read */
	struct strlist besides; /* read, with what is beside */
	struct strlist writes;  /* made and written, with what is beside */
	bool connects;
};

void confine_needs_add(struct confine_needs *n, const struct conf_item *items,
		       const json_t *options /* may be NULL */);
/* Each section that the slice has. */
void confine_needs_sections(struct confine_needs *n, const struct conf_section *sections,
			    const json_t *slice);
void confine_needs_done(struct confine_needs *n);

/* ---- A process under its row ---- */

/* A file or directory that was named one by one: once another stands in its place, the rule no
 * longer fits it. */
struct confine_watch {
	char *path;
	dev_t dev;
	ino_t ino; /* 0: was not there */
};

struct confine {
	const struct confine_row *row; /* NULL: not applied */
	unsigned network;              /* of the row, and what was asked for */
	char *state_dir;
	char *history; /* where the store is, for probes */
	struct confine_needs needs;
	json_t *measures;
	struct confine_watch *watched;
	size_t watched_n;
};

/* Brings the row into force. `needs` is taken and left empty. c->measures tells:
 * [{"measure": "seccomp", "state": "on|off|refused", "detail": "…"}]; off: the row does not ask for
 * it; refused: it does, and `detail` says why it is not so. */
void confine_apply(struct confine *c, const char *service, const char *run_dir,
		   const char *state_dir, struct confine_needs *needs);
/* A file it may read was replaced, so that it may not any more: only a restart helps. */
bool confine_is_outdated(const struct confine *c, const char **path_r);
/* Tries harmless forms of what is forbidden: [{"act", "expected": "refused|allowed", "result",
 * "errno"}]. `config` is haled's configuration file or NULL. New reference. */
json_t *confine_probe(const struct confine *c, const char *config);
/* Sanitizer builds: lets the leak check look at this process. */
void confine_end(const struct confine *c);
void confine_done(struct confine *c);

#endif
