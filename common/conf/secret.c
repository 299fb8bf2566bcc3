/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

/* A key file of any kind is smaller; a larger one is the wrong path. */
#define SECRET_BYTES_MAX (64 * 1024)

static bool is_own_group(gid_t group)
{
	gid_t groups[256];
	int n = getgroups((int)ARRAY_LEN(groups), groups);

	if (group == getegid())
		return true;
	for (int i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

/* On failure the text of `why` and the returned hint say what to do. */
static const char *check_mode(const char *path, const struct stat *st, struct err *why)
{
	if (!S_ISREG(st->st_mode)) {
		err_set(why, -EINVAL, "%s is not a regular file", path);
		return "name a file that holds nothing but the secret";
	}
	if ((st->st_mode & S_IROTH) != 0) {
		err_set(why, -EACCES, "%s can be read by everyone (mode %04o)", path,
			(unsigned)(st->st_mode & 07777));
		return "take the right away: chmod o-r";
	}
	if ((st->st_mode & S_IRGRP) != 0 && !is_own_group(st->st_gid)) {
		err_set(why, -EACCES, "%s can be read by group %lu, which is not ours (mode %04o)",
			path, (unsigned long)st->st_gid, (unsigned)(st->st_mode & 07777));
		return "take the right away: chmod g-r";
	}
	return NULL;
}

static const char *read_secret(const char *path, bool is_mode_checked, struct str *out,
			       struct err *why)
{
	/* Not blocking: a path that leads to a FIFO or a terminal must not hold up a reload. */
	HALE_CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	const char *hint;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_errno(why, -errno, "cannot read %s", path);
		return "create it, readable by this user only";
	}
	if (!is_mode_checked)
		st.st_mode &= ~(mode_t)(S_IROTH | S_IRGRP);
	hint = check_mode(path, &st, why);
	if (hint != NULL)
		return hint;
	rc = file_read_fd(fd, SECRET_BYTES_MAX, out);
	if (rc < 0) {
		err_errno(why, rc, "cannot read %s", path);
		return "name a file that holds nothing but the secret";
	}
	if (out->len > 0 && out->data[out->len - 1] == '\n')
		str_truncate(out, out->len - 1);
	return NULL;
}

static const char *expand_file(const char *path, struct str *out, struct err *why)
{
	if (*path != '/') {
		err_set(why, -EINVAL, "'%s' is not an absolute path", path);
		return "write ${file:/path/to/the/secret}";
	}
	return read_secret(path, true, out, why);
}

/* systemd keeps credentials in a directory of the service alone, so modes say nothing there. */
static const char *expand_credential(const char *name, struct str *out, struct err *why)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	HALE_CLEANUP(cleanup_free) char *path = NULL;

	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL) {
		err_set(why, -EINVAL, "'%s' is not the name of a credential", name);
		return "write ${cred:name}, with the name given to LoadCredential=";
	}
	if (dir == NULL) {
		err_set(why, -ENOENT,
			"credential %s cannot be had: CREDENTIALS_DIRECTORY is not set", name);
		return "systemd sets it for units with LoadCredential=";
	}
	path = path_join(dir, name);
	return read_secret(path, false, out, why);
}

static bool is_name(const char *text, size_t len)
{
	if (len == 0 || isdigit((unsigned char)*text))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '_')
			return false;
	}
	return true;
}

static const char *expand_environment(const char *inner, struct str *out, struct err *why)
{
	const char *def = strstr(inner, ":-");
	size_t len = def != NULL ? (size_t)(def - inner) : strlen(inner);
	HALE_CLEANUP(cleanup_free) char *name = mem_dupn(inner, len);
	const char *value;

	if (!is_name(name, len)) {
		err_set(why, -EINVAL, "'${%s}' names no environment variable", inner);
		return "write ${NAME}, ${NAME:-default}, ${file:/path} or ${cred:name}; $$ is a "
		       "dollar "
		       "sign";
	}
	value = getenv(name);
	if (def != NULL && (value == NULL || *value == '\0'))
		value = def + 2;
	if (value == NULL) {
		err_set(why, -ENOENT, "environment variable %s is not set", name);
		return "set it, or give a default: ${NAME:-default}";
	}
	str_add(out, value);
	return NULL;
}

static const char *expand_one(const char *inner, struct str *out, struct err *why)
{
	HALE_CLEANUP(str_done) struct str value = {0};
	const char *hint;
	json_t *text;

	if (str_starts(inner, "file:"))
		hint = expand_file(inner + 5, &value, why);
	else if (str_starts(inner, "cred:"))
		hint = expand_credential(inner + 5, &value, why);
	else
		hint = expand_environment(inner, &value, why);
	if (hint != NULL)
		return hint;
	/* Everything that leaves haled is JSON, which holds UTF-8 only. */
	text = memchr(str_text(&value), '\0', value.len) == NULL ? json_string(str_text(&value))
								 : NULL;
	if (text == NULL) {
		err_set(why, -EINVAL, "the value of ${%s} is not UTF-8 text", inner);
		return "binary secrets must be written in base64 or the like";
	}
	json_decref(text);
	str_addn(out, str_text(&value), value.len);
	return NULL;
}

bool secret_expand(const char *text, struct str *out, bool *is_secret_r,
		   secret_problem_fn on_problem, void *ctx)
{
	bool is_good = true;

	*is_secret_r = false;
	for (const char *p = text; *p != '\0';) {
		HALE_CLEANUP(cleanup_free) char *inner = NULL;
		struct err why = {{0}};
		const char *hint;
		size_t plain = strcspn(p, "$");
		size_t len;

		str_addn(out, p, plain);
		p += plain;
		if (p[0] != '$')
			break;
		if (p[1] != '{') {
			str_addc(out, '$');
			p += p[1] == '$' ? 2 : 1;
			continue;
		}
		len = strcspn(p, "}");
		*is_secret_r = true;
		if (p[len] == '\0') {
			on_problem(ctx, (size_t)(p - text), len, "'${' has no closing '}'",
				   "write $${ for a dollar sign and a brace");
			return false;
		}
		inner = mem_dupn(p + 2, len - 2);
		hint = expand_one(inner, out, &why);
		if (hint != NULL) {
			on_problem(ctx, (size_t)(p - text), len + 1, why.text, hint);
			is_good = false;
		}
		p += len + 1;
	}
	return is_good;
}

/* ---- Secrets by their names ---- */

/* scheme://user:password@host */
static bool has_userinfo(const char *value)
{
	const char *p = value != NULL ? strstr(value, "://") : NULL;
	size_t authority, user;

	if (p == NULL)
		return false;
	p += strlen("://");
	authority = strcspn(p, "/?#");
	user = strcspn(p, "@");
	return user < authority && memchr(p, ':', user) != NULL;
}

/* "_key": DB_KEY and KEY, but not KEYBOARD or MONKEY. */
static bool ends_in_word(const char *name, const char *word)
{
	size_t len = strlen(name), n = strlen(word);

	return strcasecmp(name, word + 1) == 0 ||
	       (len >= n && strcasecmp(name + len - n, word) == 0);
}

bool secret_is_named(const char *name, const char *value)
{
	static const char *const words[] = {"password", "passwd",     "passphrase", "secret",
					    "token",    "credential", "_dsn",       "_pwd",
					    "_pass",    "_key",       "apikey",     "cookie"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i][0] == '_' ? ends_in_word(name, words[i])
				       : strcasestr(name, words[i]) != NULL)
			return true;
	}
	return has_userinfo(value);
}
