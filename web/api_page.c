/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

static void answer_file(struct web *web, struct request *rq, const char *name)
{
	const char *etag;
	struct reply *file = web->assets ? assets_get(web->assets, name, &etag) : NULL;
	if (!web->assets) {
		request_refuse(rq, 503, "NO_DASHBOARD",
			       "the dashboard's files were not found beside hale-web; "
			       "the API works: /health, /api/v1/routes");
	} else if (!file) {
		request_refuse(rq, 404, "NOT_FOUND", "no such page");
	} else if (str_eq(request_header(rq, "If-None-Match"), etag)) {
		struct reply *same = reply_new(NULL, 0, "text/plain");
		reply_header(same, "ETag", etag);
		reply_header(same, "Cache-Control", "no-cache");
		request_answer(rq, 304, same);
	} else {
		request_answer(rq, 200, reply_ref(file));
	}
}

void api_page(struct web *web, struct request *rq)
{
	answer_file(web, rq, "index.html");
}

void api_asset(struct web *web, struct request *rq)
{
	answer_file(web, rq, request_param(rq, 0));
}
