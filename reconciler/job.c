/* SPDX-License-Identifier: Apache-2.0 */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "execute.h"
#include "model/frame.h"

/* How often a waiting timer looks at the clock on the wall, which may be put forward or back. */
#define CRON_LOOK_MS  30000
/* What a run logs of single rows and errors at most; the audit tables have them all. */
#define LOG_LINES_MAX 20
/* Planning a full table takes this long without a step, besides what statements may take. */
#define PLANNING_MS   120000

struct job_run {
	struct job *job;
	struct run_info info;
	struct run_result result;
	struct control control;
	struct http_call *call; /* the source is being asked */
	char *body;
	size_t body_len;
	bool is_working; /* in the worker thread */
	uint64_t steps;  /* when last looked */
	int64_t steps_ms;
	job_done_fn on_done;
	void *ctx;
};

/* ---- the end of a run ---- */

static void log_rows(const struct job_run *run)
{
	static const char *const words[] = {[PLAN_INSERT] = "Found missing row",
					    [PLAN_UPDATE] = "Found differing row",
					    [PLAN_CLOSE] = "Found stale row"};
	const struct plan *p = &run->result.plan;

	for (size_t i = 0; i < p->n && i < LOG_LINES_MAX; i++)
		log_info(words[p->rows[i].op], KV_S("job", run->info.job),
			 KV_S("key", p->rows[i].key));
}

static void log_run(const struct job_run *run)
{
	const struct run_result *r = &run->result;
	const char *name = run->info.job;
	/* Of a dry run its asker is told; nobody else has lost anything. */
	enum log_level level = run->info.is_dry ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;

	log_rows(run);
	for (size_t i = 0; i < r->plan.errors.n && i < LOG_LINES_MAX; i++)
		log_event(level, "Reconciliation error",
			  LOG_FIELDS_(KV_S("job", name), KV_S("error", r->plan.errors.v[i])));
	if (r->outcome == RUN_DONE)
		log_info("Reconciliation complete", KV_S("job", name), KV_S("run", run->info.id),
			 KV_I("dry_run", run->info.is_dry), KV_I("inserted", r->done[PLAN_INSERT]),
			 KV_I("updated", r->done[PLAN_UPDATE]), KV_I("closed", r->done[PLAN_CLOSE]),
			 KV_I("skipped", r->plan.skipped), KV_I("errors", r->plan.errors_n));
	else
		log_event(level,
			  r->outcome == RUN_REFUSED ? "Reconciliation refused"
						    : "Reconciliation failed",
			  LOG_FIELDS_(KV_S("job", name), KV_S("run", run->info.id),
				      KV_S("error", r->message)));
}

static void remember(struct job *j, const struct job_run *run)
{
	if (run->result.outcome != RUN_DONE)
		return;
	if (run->info.is_dry)
		j->last_dry_ms = run->info.started_ms;
	else
		j->last_real_ms = run->info.started_ms;
}

static void run_free(struct job_run *run)
{
	run_result_done(&run->result);
	control_done(&run->control);
	free(run->body);
	free(run);
}

static void finish(struct job_run *run)
{
	struct job *j = run->job;
	json_t *answer;

	run_end(&run->info, &run->result);
	log_run(run);
	remember(j, run);
	json_decref(j->last_run);
	j->last_run = run_encode(&run->info, &run->result, false);
	service_publish(j->service, TOPIC_RECONCILE, json_deep_copy(j->last_run));
	j->running = NULL;
	if (run->on_done != NULL) {
		answer = run_encode(&run->info, &run->result, true);
		run->on_done(run->ctx, answer);
		json_decref(answer);
	}
	run_free(run);
	if (j->is_stopping)
		j->on_idle(j->idle_ctx);
}

/* ---- the worker ---- */

static void work(void *ctx)
{
	struct job_run *run = ctx;

	execute_run(&(struct execution){.spec = &run->job->spec,
					.info = &run->info,
					.body = run->body,
					.body_len = run->body_len,
					.control = &run->control},
		    &run->result);
}

static void after_work(void *ctx)
{
	struct job_run *run = ctx;

	run->is_working = false;
	finish(run);
}

static void start_work(struct job_run *run)
{
	run->is_working = true;
	run->steps = control_steps(&run->control);
	run->steps_ms = clock_mono_ms();
	service_work(run->job->service, work, after_work, run);
}

bool job_is_alive(struct job *j)
{
	const struct job_options *o = &j->spec.o;
	int64_t patience_ms = o->target.timeout_ms + o->source.sql.timeout_ms + PLANNING_MS;
	struct job_run *run = j->running;
	uint64_t steps;

	if (run == NULL || !run->is_working)
		return true;
	steps = control_steps(&run->control);
	if (steps == run->steps)
		return clock_mono_ms() - run->steps_ms < patience_ms;
	run->steps = steps;
	run->steps_ms = clock_mono_ms();
	return true;
}

/* ---- the http source ---- */

static void on_answer(void *ctx, const struct http_response *r)
{
	struct job_run *run = ctx;
	HALE_CLEANUP(cleanup_free) char *why = NULL;

	run->call = NULL;
	if (r->reason != REASON_OK)
		why = mem_printf("source: %s",
				 r->error[0] != '\0' ? r->error : reason_text(r->reason));
	else if (r->status < 200 || r->status > 299)
		why = mem_printf("source: HTTP status %ld", r->status);
	if (why != NULL) {
		run_fail(&run->result, RUN_FAILED, why);
		finish(run);
		return;
	}
	run->body = mem_dupn(r->body != NULL ? r->body : "", r->body_len);
	run->body_len = r->body_len;
	start_work(run);
}

static void ask_source(struct job_run *run)
{
	const struct http_source_options *o = &run->job->spec.o.source.http;

	run->call = http_start(service_http(run->job->service),
			       &(struct http_request){
				       .method = o->method,
				       .url = o->url,
				       .headers = o->headers,
				       .body = o->body,
				       .body_len = o->body != NULL ? strlen(o->body) : 0,
				       .timeout_ms = o->timeout_ms,
				       .body_max = (size_t)o->max_bytes,
				       .ca_file = o->ca_file,
			       },
			       on_answer, run);
}

/* ---- the beginning of a run ---- */

static char *why_not(const struct job *j, const struct run_info *info)
{
	if (j->is_stopping)
		return mem_dup("Stopping");
	if (j->running != NULL)
		return mem_dup("Already running");
	return execute_too_early(&j->spec, info, info->is_dry ? j->last_dry_ms : j->last_real_ms);
}

static json_t *refuse(const struct run_info *info, const char *why)
{
	struct run_result r = {0};
	json_t *out;

	log_event(info->is_dry ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "Reconciliation not started",
		  LOG_FIELDS_(KV_S("job", info->job),
			      KV_S("trigger", run_trigger_name(info->trigger)),
			      KV_S("reason", why)));
	run_fail(&r, RUN_REFUSED, why);
	run_end(info, &r);
	out = run_encode(info, &r, true);
	run_result_done(&r);
	return out;
}

json_t *job_run(struct job *j, enum run_trigger trigger, bool is_dry, job_done_fn on_done,
		void *ctx)
{
	HALE_CLEANUP(cleanup_free) char *closed = NULL;
	HALE_CLEANUP(cleanup_free) char *why = NULL;
	struct run_info info;
	struct job_run *run;

	run_info_init(&info, j->spec.o.name, service_node(j->service), trigger, is_dry);
	why = why_not(j, &info);
	if (why != NULL)
		return refuse(&info, why);
	run = mem_alloc(sizeof(*run));
	*run = (struct job_run){.job = j, .info = info, .on_done = on_done, .ctx = ctx};
	control_init(&run->control);
	j->running = run;
	log_info("Starting reconciliation", KV_S("job", info.job), KV_S("run", info.id),
		 KV_S("trigger", run_trigger_name(trigger)), KV_I("dry_run", is_dry));
	closed = gate_refusal(j->gate, &j->spec.o.guards.require_healthy);
	if (closed != NULL) {
		run_fail(&run->result, RUN_REFUSED, closed);
		finish(run);
	} else if (spec_is_http(&j->spec)) {
		ask_source(run);
	} else {
		start_work(run);
	}
	return NULL;
}

/* ---- timers ---- */

static void run_unasked(struct job *j, enum run_trigger trigger)
{
	json_decref(job_run(j, trigger, false, NULL, NULL));
}

static void on_timer(uv_timer_t *timer);

static void arm(struct job *j)
{
	int64_t left_ms = j->next_ms - clock_wall_ms();

	if (j->next_ms > 0)
		(void)uv_timer_start(&j->timer, on_timer,
				     (uint64_t)HALE_MIN(HALE_MAX(left_ms, 0), CRON_LOOK_MS), 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct job *j = timer->data;
	int64_t now = clock_wall_ms();

	if (now >= j->next_ms) {
		j->next_ms = HALE_MAX(cron_next(&j->spec.cron, now), 0);
		run_unasked(j, RUN_SCHEDULE);
	}
	arm(j);
}

static void on_rhythm(uv_timer_t *timer)
{
	struct job *j = timer->data;

	j->next_ms = clock_wall_ms() + j->spec.o.every_ms;
	run_unasked(j, RUN_SCHEDULE);
}

static void on_startup(uv_timer_t *timer)
{
	struct job *j = timer->data;

	log_info("Running startup reconciliation", KV_S("job", j->spec.o.name));
	run_unasked(j, RUN_STARTUP);
}

/* ---- life ---- */

void job_init(struct job *j, struct service *s, const struct gate *gate, struct job_spec *spec)
{
	*j = (struct job){.service = s, .gate = gate, .spec = *spec};
	*spec = (struct job_spec){0};
	(void)uv_timer_init(service_loop(s), &j->timer);
	(void)uv_timer_init(service_loop(s), &j->startup);
	j->timer.data = j->startup.data = j;
}

void job_start(struct job *j)
{
	const struct job_options *o = &j->spec.o;

	if (o->on_start_ms > 0)
		(void)uv_timer_start(&j->startup, on_startup, (uint64_t)o->on_start_ms, 0);
	if (j->spec.has_cron) {
		j->next_ms = HALE_MAX(cron_next(&j->spec.cron, clock_wall_ms()), 0);
		arm(j);
	} else if (o->every_ms > 0) {
		j->next_ms = clock_wall_ms() + o->every_ms;
		(void)uv_timer_start(&j->timer, on_rhythm, (uint64_t)o->every_ms,
				     (uint64_t)o->every_ms);
	}
}

void job_stop(struct job *j, void (*on_idle)(void *ctx), void *ctx)
{
	j->is_stopping = true;
	j->on_idle = on_idle;
	j->idle_ctx = ctx;
	uv_close((uv_handle_t *)&j->timer, NULL);
	uv_close((uv_handle_t *)&j->startup, NULL);
	if (j->running == NULL)
		on_idle(ctx);
	else if (j->running->call != NULL)
		http_cancel(j->running->call);
	else
		control_stop(&j->running->control);
}

void job_done(struct job *j)
{
	HALE_ASSERT(j->running == NULL);
	json_decref(j->last_run);
	spec_done(&j->spec);
}

json_t *job_encode(const struct job *j)
{
	const struct job_options *o = &j->spec.o;
	char next[CLOCK_TEXT_MAX], every[UNITS_TEXT_MAX];
	HALE_CLEANUP(cleanup_free) char *rhythm = NULL;

	if (o->every_ms > 0)
		rhythm = mem_printf("every %s", duration_format(o->every_ms, every));
	return json_pack("{s:s, s:s?, s:s?, s:s, s:s, s:s, s:b, s:O?}", "name", o->name, "schedule",
			 o->schedule != NULL ? o->schedule : rhythm, "next_run",
			 j->next_ms > 0 ? clock_format(j->next_ms, next) : NULL, "source",
			 spec_source_name(&j->spec), "target",
			 spec_engine(&j->spec) == DB_SQLITE ? "sqlite" : "postgres", "table",
			 o->target.table, "running", j->running != NULL, "last_run", j->last_run);
}
