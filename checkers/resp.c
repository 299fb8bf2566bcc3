/* SPDX-License-Identifier: Apache-2.0 */
#include "resp.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/read.h>

#include "base/mem.h"
#include "excerpt.h"

/* Of an array in a message: what a reader takes in at a glance. */
#define DESCRIBED_MAX 8

struct resp_reader {
	redisReader *reader;
	size_t fed;        /* bytes since the last whole reply */
	size_t elements_n; /* declared by arrays of the reply being read */
};

/* ---- What hiredis calls while it reads ---- */

static struct resp_value *value_new(const redisReadTask *task, enum resp_type type)
{
	struct resp_value *v = mem_alloc(sizeof(*v));

	v->type = type;
	if (task->parent != NULL) {
		struct resp_value *parent = task->parent->obj;

		parent->elements[task->idx] = v;
	}
	return v;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
	struct resp_value *v = value_new(task, RESP_STRING);

	if (task->type == REDIS_REPLY_ERROR)
		v->type = RESP_ERROR;
	else if (task->type == REDIS_REPLY_STATUS)
		v->type = RESP_STATUS;
	v->text = mem_array(len + 1, 1);
	memcpy(v->text, text, len);
	v->len = len;
	return v;
}

/* NULL reads as "out of memory" to hiredis, which then frees what there is and stops. */
static void *create_array(const redisReadTask *task, int elements)
{
	struct resp_reader *r = task->privdata;
	struct resp_value *v;

	r->elements_n += (size_t)elements;
	if (elements < 0 || r->elements_n > RESP_ELEMENTS_MAX)
		return NULL;
	v = value_new(task, RESP_ARRAY);
	v->elements = mem_array((size_t)elements + 1, sizeof(*v->elements));
	v->elements_n = (size_t)elements;
	return v;
}

static void *create_integer(const redisReadTask *task, long long integer)
{
	struct resp_value *v = value_new(task, RESP_INTEGER);

	v->integer = integer;
	return v;
}

static void *create_nil(const redisReadTask *task)
{
	return value_new(task, RESP_NIL);
}

void resp_free(struct resp_value *v)
{
	if (v == NULL)
		return;
	/* At most as deep as hiredis reads. */
	for (size_t i = 0; i < v->elements_n; i++)
		resp_free(v->elements[i]);
	free(v->elements);
	free(v->text);
	free(v);
}

static void free_object(void *object)
{
	resp_free(object);
}

/* ---- Reading ---- */

struct resp_reader *resp_new(void)
{
	static redisReplyObjectFunctions functions = {
		.createString = create_string,
		.createArray = create_array,
		.createInteger = create_integer,
		.createNil = create_nil,
		.freeObject = free_object,
	};
	struct resp_reader *r = mem_alloc(sizeof(*r));

	r->reader = redisReaderCreateWithFunctions(&functions);
	HALE_ASSERT(r->reader != NULL);
	r->reader->privdata = r;
	return r;
}

void resp_delete(struct resp_reader *r)
{
	if (r == NULL)
		return;
	redisReaderFree(r->reader);
	free(r);
}

static int why(const struct resp_reader *r, struct err *err)
{
	char shown[EXCERPT_SIZE];

	if (r->reader->err == REDIS_ERR_OOM)
		return err_set(err, -EMSGSIZE, "reply of more than %d elements", RESP_ELEMENTS_MAX);
	return err_set(err, -EPROTO, "not the protocol of Redis: %s",
		       excerpt(r->reader->errstr, strlen(r->reader->errstr), shown));
}

int resp_feed(struct resp_reader *r, const char *data, size_t len, struct err *err)
{
	r->fed += len;
	if (r->fed > RESP_REPLY_MAX)
		return err_set(err, -EMSGSIZE, "reply of more than %zu bytes", RESP_REPLY_MAX);
	if (redisReaderFeed(r->reader, data, len) != REDIS_OK)
		return why(r, err);
	return 0;
}

int resp_next(struct resp_reader *r, struct resp_value **value_r, struct err *err)
{
	void *value = NULL;

	if (redisReaderGetReply(r->reader, &value) != REDIS_OK)
		return why(r, err);
	if (value == NULL)
		return err_set(err, -EAGAIN, "the reply is not complete");
	r->fed = r->reader->len - r->reader->pos;
	r->elements_n = 0;
	*value_r = value;
	return 0;
}

bool resp_has_more(const struct resp_reader *r)
{
	return r->reader->len > r->reader->pos;
}

/* ---- For people ---- */

static void describe(const struct resp_value *v, bool is_inner, struct str *out)
{
	char shown[EXCERPT_SIZE];

	switch (v->type) {
	case RESP_INTEGER:
		str_addf(out, "%lld", v->integer);
		break;
	case RESP_NIL:
		str_add(out, "(nil)");
		break;
	case RESP_ARRAY:
		if (is_inner) {
			str_addf(out, "[%zu elements]", v->elements_n);
			break;
		}
		str_addc(out, '[');
		for (size_t i = 0; i < v->elements_n && i < DESCRIBED_MAX; i++) {
			str_add(out, i == 0 ? "" : ", ");
			describe(v->elements[i], true, out);
		}
		str_add(out, v->elements_n > DESCRIBED_MAX ? ", …]" : "]");
		break;
	case RESP_STRING:
		str_addf(out, "'%s'", excerpt(v->text, v->len, shown));
		break;
	case RESP_STATUS:
	case RESP_ERROR:
		str_add(out, excerpt(v->text, v->len, shown));
		break;
	}
}

void resp_describe(const struct resp_value *v, struct str *out)
{
	describe(v, false, out);
}

bool resp_number(const struct resp_value *v, double *number_r)
{
	char *end = NULL;
	double number;

	if (v->type == RESP_INTEGER) {
		*number_r = (double)v->integer;
		return true;
	}
	if ((v->type != RESP_STRING && v->type != RESP_STATUS) || v->len == 0 ||
	    strspn(v->text, "0123456789+-.eE") != v->len)
		return false;
	number = strtod(v->text, &end);
	if (end != v->text + v->len || !isfinite(number))
		return false;
	*number_r = number;
	return true;
}

void resp_request(struct str *out, const char *const *args, size_t n)
{
	str_addf(out, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++)
		str_addf(out, "$%zu\r\n%s\r\n", strlen(args[i]), args[i]);
}
