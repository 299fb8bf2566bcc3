/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* 0 if it can be executed; else why not. */
static int try_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* The first that can be executed; NULL if there is none. A file that is there but may not be
 * executed is remembered, because it is probably the one that is meant. */
static char *search(const char *name, const char *path, char **almost_r)
{
	while (*path != '\0') {
		size_t len = strcspn(path, ":");
		HALE_CLEANUP(cleanup_free) char *dir = mem_dupn(path, len);
		char *full = path_join(dir, name);
		int rc = dir[0] == '/' ? try_program(full) : -ENOENT;

		if (rc == 0)
			return full;
		if (rc == -EACCES && *almost_r == NULL)
			*almost_r = TAKE_PTR(full);
		free(full);
		path += len + (path[len] == ':');
	}
	return NULL;
}

static void tell(const struct place *place, const char *pointer, const char *program, int rc)
{
	if (rc == -EISDIR)
		place_error(place, pointer, "name the program in it", "'%s' is a directory",
			    program);
	else if (rc == -EACCES)
		place_error(place, pointer, "chmod +x it, or name its interpreter first",
			    "'%s' may not be executed", program);
	else
		place_error(place, pointer, "check the path", "there is no program '%s'%s%s",
			    program, rc == -ENOENT ? "" : ": ", rc == -ENOENT ? "" : strerror(-rc));
}

static char *find_named(const struct place *place, const char *pointer, const char *name,
			const char *path)
{
	HALE_CLEANUP(cleanup_free) char *almost = NULL;
	char *found = search(name, path, &almost);

	if (found != NULL)
		return found;
	if (almost != NULL) {
		tell(place, pointer, almost, -EACCES);
		return NULL;
	}
	place_error(place, pointer, "install it, or write its whole path", "no program '%s' in %s",
		    name, path);
	return NULL;
}

static char *find(const struct place *place, const char *pointer, const char *program,
		  const struct command_home *home)
{
	char *full;
	int rc;

	if (strchr(program, '/') == NULL)
		return find_named(place, pointer, program,
				  home->path != NULL ? home->path : COMMAND_PATH);
	if (program[0] != '/' && home->directory == NULL) {
		place_error(place, pointer, "write its whole path, or set directory:",
			    "'%s' is relative to nothing", program);
		return NULL;
	}
	full = path_join(home->directory != NULL ? home->directory : "/", program);
	rc = try_program(full);
	if (rc == 0)
		return full;
	tell(place, pointer, full, rc);
	free(full);
	return NULL;
}

/* "python3 -m bot" as one text: no shell will cut it into words. */
static bool is_whole_line(const struct place *place, const char *pointer,
			  const struct strlist *words)
{
	const struct node *node = node_at(tree_root(place->tree), pointer);
	HALE_CLEANUP(cleanup_free) char *hint = NULL;
	HALE_CLEANUP(str_done) struct str list = {0};
	const char *text = words->v[0];
	size_t len;

	if (node == NULL || node->type != NODE_SCALAR || words->n != 1 ||
	    text[strcspn(text, " \t\n")] == '\0')
		return false;
	for (const char *p = text + strspn(text, " \t\n"); *p != '\0';
	     p += len + strspn(p + len, " \t\n")) {
		len = strcspn(p, " \t\n");
		str_addf(&list, "%s%.*s", list.len > 0 ? ", " : "", (int)len, p);
	}
	/* Quotes and variables would mean something else in a list. */
	if (text[strcspn(text, "'\"\\$|&;<>*?`(){}[],#")] == '\0')
		hint = mem_printf("write [%s], or [sh, -c, \"…\"] for a shell", str_text(&list));
	place_error(place, pointer,
		    node->is_secret ? "write a list"
		    : hint != NULL  ? hint
				    : "write a list of words, or [sh, -c, \"…\"] for a shell",
		    "a command is a list of words, and no shell reads it");
	return true;
}

char **command_argv(const struct place *place, const char *pointer, const struct strlist *words,
		    const struct command_home *home)
{
	HALE_CLEANUP(cleanup_free) char *first = mem_printf("%s/0", pointer);
	char *program;
	char **argv;

	if (is_whole_line(place, pointer, words))
		return NULL;
	if (words->v[0][0] == '\0') {
		place_error(place, first, NULL, "the program's name is empty");
		return NULL;
	}
	program = find(place, first, words->v[0], home);
	if (program == NULL)
		return NULL;
	argv = mem_array(words->n + 1, sizeof(*argv));
	argv[0] = program;
	for (size_t i = 1; i < words->n; i++)
		argv[i] = mem_dup(words->v[i]);
	return argv;
}

void command_free(char **argv)
{
	for (char **word = argv; word != NULL && *word != NULL; word++)
		free(*word);
	free(argv);
}
