/* SPDX-License-Identifier: Apache-2.0 */
/* A list of what is refused, not of what is allowed: the libraries of a child (libc, curl, libpq,
 * SQLite, nng) change what they call with every release, and a filter that a new libc runs into
 * would take the monitoring down on an upgrade. What is listed is what none of them ever needs. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>

#include "base/str.h"
#include "service/confine_private.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* By name and at run time, because a name that libseccomp or the machine does not know is then
 * simply not there. */
/* clang-format off */
/* What stops or changes the machine; refused to plugins too. */
static const char *const machine_calls[] = {
	"reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
	"create_module", "swapon", "swapoff", "settimeofday", "clock_settime", "stime", "iopl",
	"ioperm", "acct", "sethostname", "setdomainname", NULL,
};
/* Looking into others, and corners of the kernel where its bugs are. */
static const char *const kernel_calls[] = {
	"process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
	"io_uring_register", "add_key", "request_key", "keyctl", "syslog", "quotactl",
	"quotactl_fd", "vhangup", "lookup_dcookie", "fanotify_init", "open_by_handle_at",
	"name_to_handle_at", "modify_ldt", "uselib", "ustat", "sysfs", "_sysctl", "nfsservctl",
	"adjtimex", "clock_adjtime", "move_pages", "migrate_pages", "vmsplice",
	/* By path; Landlock sees it from ABI 3 on only, and nobody here uses it. */
	"truncate", "truncate64", NULL,
};
/* The leak check of a sanitizer build needs these. */
static const char *const debug_calls[] = {"ptrace", "personality", NULL};
static const char *const namespace_calls[] = {
	"mount", "umount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen",
	"fsconfig", "fsmount", "fspick", "mount_setattr", "unshare", "setns", NULL,
};
static const char *const identity_calls[] = {
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
	"setfsuid", "setfsgid", "capset", "setuid32", "setgid32", "setreuid32", "setregid32",
	"setresuid32", "setresgid32", "setgroups32", "setfsuid32", "setfsgid32", "mknod", "mknodat",
	NULL,
};
static const char *const program_calls[] = {"execve", "execveat", NULL};
/* clang-format on */

static const char *const *const service_groups[] = {
	kernel_calls,
	namespace_calls,
	identity_calls,
	program_calls,
};

static int refuse_all(scmp_filter_ctx ctx, const char *const *names)
{
	for (; *names != NULL; names++) {
		int nr = seccomp_syscall_resolve_name(*names);
		int rc = 0;

		if (nr != __NR_SCMP_ERROR)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* One comparison of one argument. */
static int refuse_if(scmp_filter_ctx ctx, int nr, int error, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint16_t)error), nr, 1, &cmp);
}

/* unshare() by another name. clone3 has its flags in memory, where no filter sees them: libc takes
 * clone when it is told that there is no clone3. */
static int refuse_namespaces(scmp_filter_ctx ctx)
{
	static const unsigned flags[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
					 CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(flags); i++)
		rc = refuse_if(ctx, SCMP_SYS(clone), EPERM,
			       SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	return rc;
}

/* No memory is both written and run: what an attacker writes is never code. */
static int refuse_written_code(scmp_filter_ctx ctx)
{
	int rc = refuse_if(
		ctx, SCMP_SYS(mmap), EPERM,
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC));

	if (rc == 0)
		rc = refuse_if(ctx, SCMP_SYS(mprotect), EPERM,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	if (rc == 0)
		rc = refuse_if(ctx, SCMP_SYS(pkey_mprotect), EPERM,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	if (rc == 0)
		rc = refuse_if(ctx, SCMP_SYS(shmat), EPERM,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, SHM_EXEC, SHM_EXEC));
	return rc;
}

/* Libraries take EAFNOSUPPORT for "not on this machine", and try what else there is. */
static int refuse_family(scmp_filter_ctx ctx, enum scmp_compare op, unsigned family)
{
	return refuse_if(ctx, SCMP_SYS(socket), EAFNOSUPPORT, SCMP_A0(op, family, 0));
}

/* Netlink is how libc learns which addresses this machine has. */
static int refuse_families(scmp_filter_ctx ctx, bool has_network)
{
	int rc;

	if (!has_network)
		return refuse_family(ctx, SCMP_CMP_NE, AF_UNIX);
	rc = refuse_family(ctx, SCMP_CMP_GT, AF_NETLINK);
	for (unsigned family = AF_UNSPEC; rc == 0 && family < AF_NETLINK; family++) {
		if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
			rc = refuse_family(ctx, SCMP_CMP_EQ, family);
	}
	return rc;
}

static int fill(scmp_filter_ctx ctx, const struct confine *c)
{
	int rc = refuse_all(ctx, machine_calls);

	if (c->row->calls == CONFINE_CALLS_MACHINE)
		return rc;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(service_groups); i++)
		rc = refuse_all(ctx, service_groups[i]);
	if (rc == 0 && !IS_SANITIZED)
		rc = refuse_all(ctx, debug_calls);
	if (rc == 0)
		rc = refuse_namespaces(ctx);
	if (rc == 0)
		rc = refuse_written_code(ctx);
	if (rc == 0)
		rc = refuse_families(ctx, c->network != CONFINE_NET_NONE);
	return rc;
}

static int load(const struct confine *c)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx == NULL ? -ENOMEM : 0;

	/* no_new_privs is the row's to say; without it the filter needs CAP_SYS_ADMIN. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	/* A sanitizer's own thread is there before us. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* The kernel's own error, not libseccomp's word for all of them. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (rc == 0)
		rc = fill(ctx, c);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

static void tell_machine(struct confine *c, int rc)
{
	/* Neither privileged nor with no_new_privs: its user may not do these things anyway. */
	if (rc == -EACCES)
		confine_tell_off(c, "seccomp", "its user has no privilege to use");
	else
		confine_tell(c, "seccomp", rc, "refused: what stops or changes the machine");
	confine_tell_off(c, "sockets", "its programs open what they need");
}

void confine_seccomp(struct confine *c)
{
	int rc = load(c);

	if (c->row->calls == CONFINE_CALLS_MACHINE) {
		tell_machine(c, rc);
		return;
	}
	confine_tell(c, "seccomp", rc,
		     "refused: programs, other users, namespaces, looking into others");
	confine_tell(c, "sockets", rc, "%s",
		     c->network == CONFINE_NET_NONE ? "local ones only" : "local ones, IPv4, IPv6");
}
