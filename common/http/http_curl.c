/* SPDX-License-Identifier: Apache-2.0 */
/* The functions are defined here: no macros in their place. */
#define CURL_DISABLE_TYPECHECK
#include "http_curl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

const char *http_curl_library = "libcurl.so.4";

#define CURL_TABLE(X)                                                                              \
	X(curl_easy_cleanup)                                                                       \
	X(curl_easy_getinfo)                                                                       \
	X(curl_easy_init)                                                                          \
	X(curl_easy_reset)                                                                         \
	X(curl_easy_setopt)                                                                        \
	X(curl_easy_strerror)                                                                      \
	X(curl_free)                                                                               \
	X(curl_global_cleanup)                                                                     \
	X(curl_global_init)                                                                        \
	X(curl_multi_add_handle)                                                                   \
	X(curl_multi_assign)                                                                       \
	X(curl_multi_cleanup)                                                                      \
	X(curl_multi_info_read)                                                                    \
	X(curl_multi_init)                                                                         \
	X(curl_multi_remove_handle)                                                                \
	X(curl_multi_setopt)                                                                       \
	X(curl_multi_socket_action)                                                                \
	X(curl_slist_append)                                                                       \
	X(curl_slist_free_all)                                                                     \
	X(curl_url)                                                                                \
	X(curl_url_cleanup)                                                                        \
	X(curl_url_get)                                                                            \
	X(curl_url_set)

static struct {
#define CURL_MEMBER(name) __typeof__(&name) name;
	CURL_TABLE(CURL_MEMBER)
#undef CURL_MEMBER
} real;

static const struct {
	const char *name;
	size_t offset;
} table[] = {
#define CURL_ROW(name) {#name, offsetof(__typeof__(real), name)},
	CURL_TABLE(CURL_ROW)
#undef CURL_ROW
};

static int fail(struct err *err, const char *why)
{
	return err_set(err, -ENOSYS, "%s cannot be loaded, install libcurl4: %s", http_curl_library,
		       why != NULL ? why : "no reason given");
}

static bool is_loaded;

int http_curl_load(struct err *err)
{
	void *library;

	if (is_loaded)
		return 0;
	library = dlopen(http_curl_library, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return fail(err, dlerror());
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		void *function = dlsym(library, table[i].name);

		if (function == NULL)
			return fail(err, dlerror());
		/* POSIX lets the address of a function travel in a void *, ISO C does not. */
		memcpy((char *)&real + table[i].offset, (const void *)&function, sizeof(function));
	}
	is_loaded = true;
	return 0;
}

/* ---- as they are ---- */

CURL *curl_easy_init(void)
{
	return real.curl_easy_init();
}

void curl_easy_cleanup(CURL *easy)
{
	real.curl_easy_cleanup(easy);
}

void curl_easy_reset(CURL *easy)
{
	real.curl_easy_reset(easy);
}

const char *curl_easy_strerror(CURLcode code)
{
	return real.curl_easy_strerror(code);
}

void curl_free(void *p)
{
	real.curl_free(p);
}

CURLcode curl_global_init(long flags)
{
	return real.curl_global_init(flags);
}

void curl_global_cleanup(void)
{
	real.curl_global_cleanup();
}

CURLM *curl_multi_init(void)
{
	return real.curl_multi_init();
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
	return real.curl_multi_cleanup(multi);
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	return real.curl_multi_add_handle(multi, easy);
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
	return real.curl_multi_remove_handle(multi, easy);
}

CURLMcode curl_multi_assign(CURLM *multi, curl_socket_t fd, void *ptr)
{
	return real.curl_multi_assign(multi, fd, ptr);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left)
{
	return real.curl_multi_info_read(multi, left);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int flags, int *running)
{
	return real.curl_multi_socket_action(multi, fd, flags, running);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
	return real.curl_slist_append(list, text);
}

void curl_slist_free_all(struct curl_slist *list)
{
	/* Of a call that never needed curl there is none. */
	if (list != NULL)
		real.curl_slist_free_all(list);
}

CURLU *curl_url(void)
{
	return real.curl_url();
}

void curl_url_cleanup(CURLU *url)
{
	real.curl_url_cleanup(url);
}

CURLUcode curl_url_set(CURLU *url, CURLUPart what, const char *part, unsigned int flags)
{
	return real.curl_url_set(url, what, part, flags);
}

CURLUcode curl_url_get(CURLU *url, CURLUPart what, char **part, unsigned int flags)
{
	return real.curl_url_get(url, what, part, flags);
}

/* ---- those of one argument whose type the option says ---- */

CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	CURLcode code;
	va_list args;

	va_start(args, option);
	if (option < CURLOPTTYPE_OBJECTPOINT)
		code = real.curl_easy_setopt(easy, option, va_arg(args, long));
	else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
		code = real.curl_easy_setopt(easy, option, va_arg(args, curl_off_t));
	else
		code = real.curl_easy_setopt(easy, option, va_arg(args, void *));
	va_end(args);
	return code;
}

CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...)
{
	CURLMcode code;
	va_list args;

	va_start(args, option);
	if ((int)option < CURLOPTTYPE_OBJECTPOINT)
		code = real.curl_multi_setopt(multi, option, va_arg(args, long));
	else if ((int)option >= CURLOPTTYPE_OFF_T)
		code = real.curl_multi_setopt(multi, option, va_arg(args, curl_off_t));
	else
		code = real.curl_multi_setopt(multi, option, va_arg(args, void *));
	va_end(args);
	return code;
}

/* Always a pointer. */
CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
	CURLcode code;
	va_list args;

	va_start(args, info);
	code = real.curl_easy_getinfo(easy, info, va_arg(args, void *));
	va_end(args);
	return code;
}
