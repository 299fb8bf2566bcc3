/* SPDX-License-Identifier: Apache-2.0 */
#include "service/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "service/child_proto.h"

int slice_parse(const char *text, size_t len, json_t **slice_r, struct err *err)
{
	json_error_t where;
	json_t *slice = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);

	if (slice == NULL)
		return err_set(err, -EINVAL, "slice is not JSON: line %d, column %d: %s",
			       where.line, where.column, where.text);
	if (!json_is_object(slice)) {
		json_decref(slice);
		return err_set(err, -EINVAL, "slice is not a JSON object");
	}
	*slice_r = slice;
	return 0;
}

static int read_fd(int fd, struct str *text, struct err *err)
{
	int rc;

	/* haled hands the same memfd to each start of a child, and the offset is shared with it.
	 * A pipe cannot seek and need not. */
	(void)lseek(fd, 0, SEEK_SET);
	rc = file_read_fd(fd, CHILD_SLICE_MAX, text);
	if (rc == -EFBIG)
		return err_set(err, rc, "slice is larger than %u bytes", CHILD_SLICE_MAX);
	if (rc < 0)
		return err_errno(err, rc, "cannot read the slice from fd %d", fd);
	return 0;
}

int slice_read(const char *file, int fallback_fd, json_t **slice_r, struct err *err)
{
	HALE_CLEANUP(str_done) struct str text = {0};
	int rc;

	if (file != NULL) {
		rc = file_read(file, CHILD_SLICE_MAX, &text, err);
	} else if (fcntl(CHILD_SLICE_FD, F_GETFD) >= 0) {
		rc = read_fd(CHILD_SLICE_FD, &text, err);
		close(CHILD_SLICE_FD);
	} else if (fallback_fd >= 0) {
		rc = read_fd(fallback_fd, &text, err);
	} else {
		rc = err_set(err, -ENOENT,
			     "no configuration: fd %d is not open and no --slice FILE given",
			     CHILD_SLICE_FD);
	}
	if (rc < 0)
		return rc;
	return slice_parse(str_text(&text), text.len, slice_r, err);
}

/* ---- Sections against their tables ---- */

static size_t field_size(const struct conf_item *item);

/* A section's table does not carry the size of its struct; where its last field ends does. */
static size_t table_size(const struct conf_item *items)
{
	size_t size = 0;

	for (; items->type != CONF_T_END; items++)
		size = HALE_MAX(size, items->offset + field_size(items));
	return size;
}

static size_t field_size(const struct conf_item *item)
{
	switch (item->type) {
	case CONF_T_MAP:
		return table_size(item->items);
	case CONF_T_LIST:
		return sizeof(struct strlist);
	case CONF_T_DICT:
	case CONF_T_ARRAY:
		return sizeof(struct conf_vec);
	default:
		return sizeof(int64_t); /* the widest scalar or pointer there is */
	}
}

static void check_mapping(const struct conf_item *items, const json_t *object, const char *path,
			  service_problem_fn problem, void *ctx)
{
	HALE_CLEANUP(cleanup_free) char *out = mem_alloc(table_size(items) + sizeof(char *));
	struct err err = {0};

	if (conf_decode(items, object, out, &err) < 0)
		problem(ctx, path, err.text);
	else
		conf_free(items, out);
}

/* "/" and "~" in a name are written as RFC 6901 asks. */
static void add_pointer_part(struct str *path, const char *name)
{
	str_addc(path, '/');
	for (; *name != '\0'; name++) {
		if (*name == '~')
			str_add(path, "~0");
		else if (*name == '/')
			str_add(path, "~1");
		else
			str_addc(path, *name);
	}
}

static void check_section(const struct conf_section *section, const json_t *value,
			  service_problem_fn problem, void *ctx)
{
	HALE_CLEANUP(str_done) struct str path = {0};
	const char *name;
	json_t *element;
	size_t base;

	add_pointer_part(&path, section->name);
	if (section->shape != CONF_T_DICT) {
		check_mapping(section->items, value, str_text(&path), problem, ctx);
		return;
	}
	base = path.len;
	json_object_foreach ((json_t *)value, name, element) {
		str_truncate(&path, base);
		add_pointer_part(&path, name);
		check_mapping(section->items, element, str_text(&path), problem, ctx);
	}
}

void slice_check_sections(const json_t *slice, const struct conf_section *sections,
			  service_problem_fn problem, void *ctx)
{
	for (; sections != NULL && sections->name != NULL; sections++) {
		const json_t *value = json_object_get(slice, sections->name);

		if (value != NULL)
			check_section(sections, value, problem, ctx);
	}
}
