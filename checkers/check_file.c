/* SPDX-License-Identifier: Apache-2.0 */
/* file - is a file there, young enough, large enough, and does it hold what it should?
 *
 * file_look.h looks in a thread; here is said what it should have found.
 */
#include "check.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "file_look.h"
#include "http_expect.h"

#define NOT_EXPECTED (-1)
#define READ_MAX     (64.0 * (1 << 20))
#define NAME_MAX_    256

struct file_opts {
	char *path;
	char *match;
	bool recursive;
	char *expect;
	char *type;
	int64_t max_age;
	int64_t min_age;
	int64_t max_oldest_age;
	int64_t min_size;
	int64_t max_size;
	int64_t max_total_size;
	int64_t min_files;
	int64_t max_files;
	char *contains;
	char *lacks;
	int64_t read;
	char *read_from;
	char *sha256;
	char *mode;
	char *owner;
	char *group;
};

static const struct conf_item file_items[] = {
	CONF_STR(struct file_opts, path,
		 .flags = CONF_F_REQUIRED | CONF_F_NONEMPTY | CONF_F_READ_BESIDE | CONF_F_TARGET,
		 .help = "Absolute path of a file, of a directory (then its files are looked at), "
			 "or a pattern: /backup/*/dump-*.gz"),
	CONF_STR(struct file_opts, match, .flags = CONF_F_NONEMPTY,
		 .help = "Of a directory: only files of such names, *.msg"),
	CONF_BOOL(struct file_opts, recursive, .def = "false",
		  .help = "Of a directory: also the files in its folders, 16 deep"),
	CONF_ENUM(struct file_opts, expect, .def = "present", .choices = "present|absent",
		  .help = "Should it be there"),
	CONF_ENUM(struct file_opts, type, .choices = "file|directory|socket|pipe|device",
		  .help = "What it must be; with directory, the directory itself is looked at"),
	CONF_DURATION(struct file_opts, max_age,
		      .help = "It, or the newest of them, must have been written within that time"),
	CONF_DURATION(struct file_opts, min_age,
		      .help = "It, or the newest of them, must not have been written for so long"),
	CONF_DURATION(
		struct file_opts, max_oldest_age,
		.help = "None of them may have been written longer ago: what lies in a queue"),
	CONF_SIZE(struct file_opts, min_size, .help = "Size it, or the newest, must have"),
	CONF_SIZE(struct file_opts, max_size, .help = "Size it, or the newest, may have; 0: any"),
	CONF_SIZE(struct file_opts, max_total_size,
		  .help = "Size all of them may have together; 0: any"),
	CONF_INT(struct file_opts, min_files, .def = "-1", .min = NOT_EXPECTED,
		 .max = FILE_ENTRIES_MAX,
		 .help = "So many there must be; default: with a pattern 1, in a directory 0"),
	CONF_INT(struct file_opts, max_files, .def = "-1", .min = NOT_EXPECTED,
		 .max = FILE_ENTRIES_MAX, .help = "So many there may be; -1: any number"),
	CONF_STR(struct file_opts, contains, .flags = CONF_F_NONEMPTY,
		 .help = "Text it, or the newest, must hold; /between slashes/ a regular "
			 "expression"),
	CONF_STR(struct file_opts, lacks, .flags = CONF_F_NONEMPTY,
		 .help = "Text or /expression/ it must not hold"),
	CONF_SIZE(struct file_opts, read, .def = "1MB", .min = 1, .max = READ_MAX,
		  .help = "How much of it is read to look for them"),
	CONF_ENUM(struct file_opts, read_from, .def = "begin", .choices = "begin|end",
		  .help = "From where: end for the last lines of a log"),
	CONF_STR(struct file_opts, sha256, .flags = CONF_F_NONEMPTY,
		 .help = "Its checksum, 64 hex digits; of files up to 256 MB"),
	CONF_STR(struct file_opts, mode, .flags = CONF_F_NONEMPTY,
		 .help = "Its permissions, \"0640\""),
	CONF_STR(struct file_opts, owner, .flags = CONF_F_NONEMPTY,
		 .help = "Name or number of its user"),
	CONF_STR(struct file_opts, group, .flags = CONF_F_NONEMPTY,
		 .help = "Name or number of its group"),
	CONF_END,
};

/* ---- Validation and preparation ---- */

/* Outlives runs. */
struct file_prep {
	struct file_plan plan;
	struct text_rule contains, lacks;
	bool has_last;
	int64_t last_size;
};

static bool is_hex64(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64;
}

static bool is_octal(const char *text)
{
	size_t len = strlen(text);

	return len >= 3 && len <= 5 && strspn(text, "01234567") == len;
}

static void check_rule(const char *text, const char *path, service_problem_fn problem, void *ctx)
{
	struct text_rule rule;
	struct err err = {0};

	if (text == NULL)
		return;
	if (text_rule_init(&rule, text, TEXT_RULE_EITHER, &err) < 0)
		problem(ctx, path, err.text);
	else
		text_rule_done(&rule);
}

static void file_validate(const void *opts, service_problem_fn problem, void *ctx)
{
	const struct file_opts *o = opts;

	if (o->path[0] != '/' && o->path[0] != '\0')
		problem(ctx, "/path", "must be an absolute path");
	if (o->sha256 != NULL && !is_hex64(o->sha256))
		problem(ctx, "/sha256", "must be 64 hex digits, as sha256sum prints them");
	if (o->mode != NULL && !is_octal(o->mode))
		problem(ctx, "/mode", "must be an octal number in quotes, as \"0640\"");
	if (o->max_files != NOT_EXPECTED && o->min_files > o->max_files)
		problem(ctx, "/min_files", "must not be more than max_files");
	if (o->max_size > 0 && o->min_size > o->max_size)
		problem(ctx, "/min_size", "must not be more than max_size");
	if (o->max_age > 0 && o->min_age > o->max_age)
		problem(ctx, "/min_age", "must not be longer than max_age");
	check_rule(o->contains, "/contains", problem, ctx);
	check_rule(o->lacks, "/lacks", problem, ctx);
}

static void *file_prepare(const void *opts)
{
	const struct file_opts *o = opts;
	struct file_prep *p = mem_alloc(sizeof(*p));

	if (o->contains != NULL)
		HALE_ASSERT(text_rule_init(&p->contains, o->contains, TEXT_RULE_EITHER, NULL) == 0);
	if (o->lacks != NULL)
		HALE_ASSERT(text_rule_init(&p->lacks, o->lacks, TEXT_RULE_EITHER, NULL) == 0);
	p->plan = (struct file_plan){
		.path = o->path,
		.match = o->match,
		.is_deep = o->recursive,
		.is_itself = str_eq(o->type, "directory"),
		.read_bytes = o->contains != NULL || o->lacks != NULL ? o->read : 0,
		.is_end = str_eq(o->read_from, "end"),
		.wants_sha256 = o->sha256 != NULL,
	};
	return p;
}

static void file_unprepare(void *prep)
{
	struct file_prep *p = prep;

	if (p->contains.source != NULL)
		text_rule_done(&p->contains);
	if (p->lacks.source != NULL)
		text_rule_done(&p->lacks);
	free(p);
}

/* ---- Telling ---- */

static const char *type_of(mode_t mode)
{
	if (S_ISREG(mode))
		return "file";
	if (S_ISDIR(mode))
		return "directory";
	if (S_ISSOCK(mode))
		return "socket";
	return S_ISFIFO(mode) ? "pipe" : "device";
}

struct file_run {
	struct file_look look;
	struct file_plan plan;
	bool has_content, has_forbidden;
	const struct file_prep *prep;
	/* Found in the thread, too: names may come from a server. */
	char owner[NAME_MAX_], group[NAME_MAX_];
};

static double age_seconds(int64_t then_ms, int64_t now_ms)
{
	return (double)(now_ms - then_ms) / 1000.0;
}

static void tell_file(struct check *c, const struct file_run *run, int64_t now_ms)
{
	const struct file_seen *f = &run->look.newest;
	char text[NAME_MAX_];

	check_metric(c, "size_bytes", (double)f->size_bytes);
	check_metric(c, "age_seconds", age_seconds(f->modified_ms, now_ms));
	check_metric(c, "mode", (double)(f->mode & 07777));
	(void)snprintf(text, sizeof(text), "%04o", (unsigned)(f->mode & 07777));
	check_detail(c, "mode", json_string(text));
	check_detail(c, "type", json_string(type_of(f->mode)));
	check_detail(c, "modified", json_string(clock_format(f->modified_ms, text)));
	check_detail(c, "owner", json_string(run->owner));
	check_detail(c, "group", json_string(run->group));
	if (run->look.sha256[0] != '\0')
		check_detail(c, "sha256", json_string(run->look.sha256));
}

static void detail_path(struct check *c, const char *name, const char *path)
{
	char clean[NAME_MAX_];

	(void)str_clean(clean, sizeof(clean), path);
	check_detail(c, name, json_string(clean));
}

static void tell(struct check *c, const struct file_run *run, int64_t now_ms)
{
	const struct file_look *l = &run->look;
	struct file_prep *p = check_prep(c);
	char clean[NAME_MAX_];

	if (l->is_set) {
		check_metric(c, "files", (double)l->files);
		check_metric(c, "total_bytes", (double)l->total_bytes);
	}
	if (l->files > 0 && l->is_set) {
		check_metric(c, "newest_age_seconds", age_seconds(l->newest.modified_ms, now_ms));
		check_metric(c, "oldest_age_seconds", age_seconds(l->oldest.modified_ms, now_ms));
		detail_path(c, "newest", l->newest.path);
		detail_path(c, "oldest", l->oldest.path);
	}
	if (l->files > 0)
		tell_file(c, run, now_ms);
	if (l->is_there && p->has_last)
		check_metric(c, "growth_bytes", (double)(l->total_bytes - p->last_size));
	p->has_last = l->is_there;
	p->last_size = l->total_bytes;
	for (size_t i = 0; i < l->names.n; i++) {
		(void)str_clean(clean, sizeof(clean), l->names.v[i]);
		check_saw(c, "files", json_string(clean));
	}
}

/* ---- Judging: the first thing that is wrong ---- */

struct finding {
	enum reason reason;
	struct str text;
};

static void find(struct finding *f, enum reason reason, const char *fmt, ...) HALE_PRINTF(3, 4);
static void find(struct finding *f, enum reason reason, const char *fmt, ...)
{
	va_list args;

	if (f->reason != REASON_OK)
		return;
	f->reason = reason;
	va_start(args, fmt);
	str_vaddf(&f->text, fmt, args);
	va_end(args);
}

static void judge_number(struct finding *f, const struct file_opts *o, const struct file_look *l)
{
	/* A pattern, or an age, is about something that is there. */
	int64_t min = o->min_files;
	char limit[UNITS_TEXT_MAX];

	if (min == NOT_EXPECTED)
		min = !l->is_set || file_is_pattern(o->path) || o->max_age > 0;
	if (!l->is_there)
		find(f, REASON_FILE_MISSING, "%s is not there", o->path);
	else if (l->files == 0 && min > 0)
		find(f, REASON_FILE_MISSING, "No file in %s", o->path);
	else if (l->is_set && (int64_t)l->files < min)
		find(f, REASON_FILE_MISMATCH, "%zu files, expected at least %lld", l->files,
		     (long long)min);
	if (o->max_files != NOT_EXPECTED && (int64_t)l->files > o->max_files)
		find(f, REASON_FILE_MISMATCH, "%zu files, expected at most %lld", l->files,
		     (long long)o->max_files);
	if (o->max_total_size > 0 && l->total_bytes > o->max_total_size)
		find(f, REASON_FILE_MISMATCH, "%lld bytes in all, expected at most %s",
		     (long long)l->total_bytes, size_format(o->max_total_size, limit));
}

static void judge_age(struct finding *f, const struct file_opts *o, const struct file_look *l,
		      int64_t now_ms)
{
	int64_t age_ms = now_ms - l->newest.modified_ms;
	int64_t oldest_ms = now_ms - l->oldest.modified_ms;
	char age[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX];

	if (o->max_age > 0 && age_ms > o->max_age)
		find(f, REASON_STALE, "Written %s ago, expected at most %s",
		     duration_format_short(age_ms, age), duration_format_short(o->max_age, limit));
	if (o->min_age > 0 && age_ms < o->min_age)
		find(f, REASON_FILE_MISMATCH, "Written %s ago, expected at least %s",
		     duration_format_short(HALE_MAX(age_ms, 0), age),
		     duration_format_short(o->min_age, limit));
	if (o->max_oldest_age > 0 && oldest_ms > o->max_oldest_age)
		find(f, REASON_STALE, "Oldest of %zu written %s ago, expected at most %s", l->files,
		     duration_format_short(oldest_ms, age),
		     duration_format_short(o->max_oldest_age, limit));
}

static void judge_size(struct finding *f, const struct file_opts *o, const struct file_seen *file)
{
	long long size = file->size_bytes;
	char limit[UNITS_TEXT_MAX];

	if (file->size_bytes < o->min_size)
		find(f, REASON_FILE_MISMATCH, "Has %lld bytes, expected at least %s", size,
		     size_format(o->min_size, limit));
	if (o->max_size > 0 && file->size_bytes > o->max_size)
		find(f, REASON_FILE_MISMATCH, "Has %lld bytes, expected at most %s", size,
		     size_format(o->max_size, limit));
}

static bool is_named(const char *wanted, const char *name, unsigned long number)
{
	char *end;
	unsigned long n = strtoul(wanted, &end, 10);

	return str_eq(wanted, name) ||
	       (isdigit((unsigned char)*wanted) && *end == '\0' && n == number);
}

static void judge_rights(struct finding *f, const struct file_opts *o, const struct file_run *run)
{
	const struct file_seen *file = &run->look.newest;
	unsigned mode = file->mode & 07777;

	if (o->type != NULL && !str_eq(o->type, type_of(file->mode)))
		find(f, REASON_FILE_MISMATCH, "Is a %s, expected a %s", type_of(file->mode),
		     o->type);
	if (o->mode != NULL && strtoul(o->mode, NULL, 8) != mode)
		find(f, REASON_FILE_MISMATCH, "Has mode %04o, expected %s", mode, o->mode);
	if (o->owner != NULL && !is_named(o->owner, run->owner, file->uid))
		find(f, REASON_FILE_MISMATCH, "Belongs to %s, expected %s", run->owner, o->owner);
	if (o->group != NULL && !is_named(o->group, run->group, file->gid))
		find(f, REASON_FILE_MISMATCH, "Belongs to group %s, expected %s", run->group,
		     o->group);
}

static void judge_content(struct finding *f, const struct file_opts *o, const struct file_run *run)
{
	if (o->contains != NULL && !run->has_content)
		find(f, REASON_FILE_MISMATCH, "Does not hold '%.100s'", o->contains);
	if (o->lacks != NULL && run->has_forbidden)
		find(f, REASON_FILE_MISMATCH, "Holds '%.100s'", o->lacks);
	if (o->sha256 != NULL && strcasecmp(o->sha256, run->look.sha256) != 0)
		find(f, REASON_FILE_MISMATCH, "Has checksum %.12s…, expected %.12s…",
		     run->look.sha256, o->sha256);
}

static void judge(struct finding *f, const struct file_opts *o, const struct file_run *run,
		  int64_t now_ms)
{
	const struct file_look *l = &run->look;

	if (l->error[0] != '\0') {
		find(f, REASON_FILE_UNREADABLE, "%s", l->error);
		return;
	}
	if (str_eq(o->expect, "absent")) {
		if (l->is_set ? l->files > 0 : l->is_there)
			find(f, REASON_FILE_MISMATCH, "%s is there, expected none",
			     l->newest.path != NULL ? l->newest.path : o->path);
		return;
	}
	judge_number(f, o, l);
	if (l->files == 0)
		return;
	judge_rights(f, o, run);
	judge_age(f, o, l, now_ms);
	judge_size(f, o, &l->newest);
	judge_content(f, o, run);
}

static void end_well(struct check *c, const struct file_look *l, int64_t now_ms)
{
	long long size = l->total_bytes;
	char age[UNITS_TEXT_MAX];

	if (l->files == 0) {
		check_done(c, REASON_OK, l->is_there ? "No files" : "Not there");
		return;
	}
	(void)duration_format_short(HALE_MAX(now_ms - l->newest.modified_ms, 0), age);
	if (l->is_set)
		check_done(c, REASON_OK, "%zu file%s, %lld bytes, newest written %s ago", l->files,
			   l->files == 1 ? "" : "s", size, age);
	else
		check_done(c, REASON_OK, "%lld bytes, written %s ago", size, age);
}

/* ---- One run ---- */

static void take_names(struct file_run *run)
{
	const struct file_seen *f = &run->look.newest;
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;
	char buf[4096];

	(void)snprintf(run->owner, sizeof(run->owner), "%u", (unsigned)f->uid);
	(void)snprintf(run->group, sizeof(run->group), "%u", (unsigned)f->gid);
	if (getpwuid_r(f->uid, &user, buf, sizeof(buf), &found_user) == 0 && found_user != NULL)
		(void)str_clean(run->owner, sizeof(run->owner), user.pw_name);
	if (getgrgid_r(f->gid, &group, buf, sizeof(buf), &found_group) == 0 && found_group != NULL)
		(void)str_clean(run->group, sizeof(run->group), group.gr_name);
}

static void in_thread(void *run_data)
{
	struct file_run *run = run_data;
	struct file_look *l = &run->look;
	const struct file_prep *p = run->prep;

	file_look(l);
	if (l->files == 0)
		return;
	take_names(run);
	if (l->content == NULL)
		return;
	if (p->contains.source != NULL)
		run->has_content = text_rule_matches(&p->contains, l->content, l->content_len);
	if (p->lacks.source != NULL)
		run->has_forbidden = text_rule_matches(&p->lacks, l->content, l->content_len);
}

static void after_thread(struct check *c)
{
	const struct file_opts *o = check_opts(c);
	struct file_run *run = check_run_data(c);
	/* The run data is gone with check_done(). */
	struct file_look l = run->look;
	struct finding f = {.reason = REASON_OK};
	int64_t now_ms = clock_wall_ms();

	if (l.error[0] == '\0')
		tell(c, run, now_ms);
	judge(&f, o, run, now_ms);
	if (f.reason == REASON_OK)
		end_well(c, &l, now_ms);
	else
		check_done(c, f.reason, "%s", str_text(&f.text));
	str_done(&f.text);
	file_look_done(&l);
}

static void file_start(struct check *c)
{
	struct file_run *run = check_run_data(c);

	run->prep = check_prep(c);
	run->plan = run->prep->plan;
	run->plan.wants_names = check_is_watched(c);
	run->look.plan = &run->plan;
	check_stage(c, REASON_TIMEOUT_READ);
	check_work(c, in_thread, after_thread);
}

/* The thread ends the run; one that hangs in a dead file server never does. */
static void file_cancel(struct check *c)
{
	struct file_run *run = check_run_data(c);

	atomic_store(&run->look.is_cancelled, true);
}

static const struct metric_doc file_metrics[] = {
	{"age_seconds", "Since it, or the newest of several, was written"},
	{"size_bytes", "Its size, or that of the newest"},
	{"mode", "Its permissions as a number"},
	{"files", "Of a directory or a pattern: how many"},
	{"total_bytes", "… their sizes together"},
	{"newest_age_seconds", "… since the newest was written"},
	{"oldest_age_seconds", "… since the oldest was written"},
	{"growth_bytes", "By how much all of it grew since the check before"},
	{NULL, NULL},
};

static const struct metric_doc file_details[] = {
	{"type", "file, directory, socket, pipe or device"},
	{"modified", "When it was written"},
	{"mode", "Its permissions, \"0640\""},
	{"owner", "Its user"},
	{"group", "Its group"},
	{"sha256", "Its checksum, if one is expected"},
	{"newest", "Of several: path of the newest"},
	{"oldest", "Of several: path of the oldest"},
	{NULL, NULL},
};

static const struct reason_doc file_reasons[] = {
	{REASON_FILE_MISSING, "it is not there, or the pattern matches nothing"},
	{REASON_STALE, "older than max_age, or the oldest than max_oldest_age"},
	{REASON_FILE_MISMATCH, "it is there and should not be; or number, size, type, "
			       "permissions, owner, content or checksum is not as expected"},
	{REASON_FILE_UNREADABLE, "it cannot be read, or there are more than 100000 entries"},
	{REASON_TIMEOUT_READ, "the file system does not answer"},
	REASON_DOC_END,
};

static const char file_about[] =
	"Of a directory and of a pattern the files are counted; what is said of *the* file (size, "
	"content, permissions, `max_age`) is said of the newest: that is the last backup. The "
	"oldest is what is stuck in a queue, `max_oldest_age`. Of a log `contains` and `lacks` "
	"look at the end with `read_from: end`.\n\n"
	"Looking is done in a thread: a file server that hangs makes this one check time out, and "
	"no other. hale must be allowed to read where the path is; the checker itself may read "
	"nothing but what its paths name (a pattern: the directory before its first wildcard).\n";

const struct check_ops check_ops = {
	.kind = "file",
	.summary = "looks at files: there or not, age, size, number, content, permissions",
	.about = file_about,
	.items = file_items,
	.metrics = file_metrics,
	.details = file_details,
	.reasons = file_reasons,
	.example = "last_backup:\n"
		   "  file: {path: \"/var/backups/db-*.gz\", max_age: 25h, min_size: 10MB}\n"
		   "  interval: 5m\n"
		   "mail_queue:\n"
		   "  file: {path: /var/spool/out, match: \"*.msg\", max_oldest_age: 10m}\n"
		   "  thresholds: {files: {degraded: \"> 100\", critical: \"> 1000\"}}\n"
		   "app_log:\n"
		   "  file: {path: /var/log/app.log, max_age: 5m, lacks: /panic|FATAL/, "
		   "read_from: end, read: 64KB}\n"
		   "key:\n"
		   "  file: {path: /etc/app/key.pem, mode: \"0600\", owner: root}\n"
		   "maintenance_flag:\n"
		   "  file: {path: /run/app/maintenance, expect: absent}\n",
	.opts_size = sizeof(struct file_opts),
	.run_size = sizeof(struct file_run),
	.validate = file_validate,
	.prepare = file_prepare,
	.unprepare = file_unprepare,
	.start = file_start,
	.cancel = file_cancel,
};
