/* SPDX-License-Identifier: Apache-2.0 */
/* api - the handlers of the route table (routes.c), by subject
 *
 * Each ends, now or later, in exactly one answer.
 */
#ifndef HALE_WEB_API_H
#define HALE_WEB_API_H

#include "web.h"

/* api_health.c: public health, liveness, metrics */
void api_health(struct web *web, struct request *rq);
void api_health_component(struct web *web, struct request *rq);
void api_livez(struct web *web, struct request *rq);
void api_readyz(struct web *web, struct request *rq);
void api_metrics(struct web *web, struct request *rq);

/* api_state.c: the snapshot and its parts */
void api_state(struct web *web, struct request *rq);
void api_components(struct web *web, struct request *rq);
void api_component(struct web *web, struct request *rq);
void api_component_metrics(struct web *web, struct request *rq);
void api_processes(struct web *web, struct request *rq);
void api_process(struct web *web, struct request *rq);

/* api_history.c */
extern const char *const api_history_query[];
extern const char *const api_events_query[];
void api_history(struct web *web, struct request *rq);
void api_events(struct web *web, struct request *rq);

/* api_series.c: metrics over time */
extern const char *const api_summary_query[];
void api_series(struct web *web, struct request *rq); /* history with a metric */
void api_metrics_summary(struct web *web, struct request *rq);

/* api_export.c */
extern const char *const api_export_query[];
void api_export(struct web *web, struct request *rq);

/* api_uptime.c */
extern const char *const api_uptime_query[];
extern const char *const api_statistics_query[];
void api_uptime(struct web *web, struct request *rq);
void api_statistics(struct web *web, struct request *rq);
/* Sees to it that web->past is not much older than some minutes, whenever it comes. */
void api_refresh_past(struct web *web);

/* api_command.c: changes, as commands to haled */
void api_process_restart(struct web *web, struct request *rq);
void api_process_stop(struct web *web, struct request *rq);
void api_process_start(struct web *web, struct request *rq);
void api_monitoring_stop(struct web *web, struct request *rq);
void api_monitoring_start(struct web *web, struct request *rq);
void api_reload(struct web *web, struct request *rq);

/* api_ping.c: pings of jobs, handed to the checkers of kind heartbeat */
extern const char *const api_ping_query[];
void api_ping(struct web *web, struct request *rq);
void api_ping_signal(struct web *web, struct request *rq);

/* api_page.c: the dashboard's files */
void api_page(struct web *web, struct request *rq);
void api_asset(struct web *web, struct request *rq);

#endif
