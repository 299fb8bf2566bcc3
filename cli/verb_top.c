/* SPDX-License-Identifier: Apache-2.0 */
/* hale top: the processes and what they take, drawn again and again
 *
 * On a terminal it is a page with keys; in a pipe, or with -n, snapshots one below the other.
 */
#include "verbs.h"

#include "base/clock.h"
#include "bus/command.h"
#include "field.h"
#include "screen.h"
#include "text.h"
#include "top_view.h"

#define INTERVAL_DEFAULT_MS 1000
/* More often, and the looking is what is seen. */
#define INTERVAL_MIN_MS     100
/* A haled that hangs must not make the keys hang for long. */
#define ASK_TIMEOUT_MS      2000

struct top {
	struct cli *cli;
	int64_t interval_ms;
	struct screen screen;
	struct top_sample sample;
	struct top_look look;
	char chosen[128];      /* name of the chosen process: rows move */
	char message[256];     /* "" : none */
	char restarting[128];  /* what is waited for; "": nothing */
	json_int_t generation; /* of it before */
	int64_t asked_ms;      /* wall */
	bool is_asking;        /* whether to restart: y or n */
	bool is_help;
};

static int sample_next(struct top *top, uint32_t timeout_ms, struct err *err)
{
	struct top_sample next;
	int code = top_sample_take(top->cli, top->sample.status == NULL ? NULL : &top->sample,
				   timeout_ms, &next, err);

	if (code != 0)
		return code;
	top_sample_done(&top->sample);
	top->sample = next;
	top_sample_sort(&top->sample, top->look.sort);
	return 0;
}

/* ---- snapshots ---- */

static void print_sample(struct top *top)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	json_t *json;

	if (top->cli->is_json) {
		json = top_sample_encode(&top->sample);
		cli_json_line(top->cli, json);
		json_decref(json);
	} else {
		top_view_format(&out, &top->sample, &top->look);
		cli_print(top->cli, &out);
	}
	(void)fflush(top->cli->out);
}

/* Two looks make the first: a rate of one is none. */
static int print_samples(struct top *top, int64_t count)
{
	struct err err = {0};
	int code = sample_next(top, CLI_TIMEOUT_MS, &err);

	for (int64_t i = 0; code == 0 && i < count && ferror(top->cli->out) == 0; i++) {
		cli_pause((uint32_t)top->interval_ms);
		code = sample_next(top, CLI_TIMEOUT_MS, &err);
		if (code != 0)
			break;
		if (i > 0 && !top->cli->is_json)
			(void)fputc('\n', top->cli->out);
		print_sample(top);
	}
	return code == 0 ? CLI_DONE : cli_tell_failure(top->cli, "haled", code, &err);
}

/* ---- the chosen row ---- */

static void remember(struct top *top)
{
	const struct top_sample *s = &top->sample;

	if (top->look.chosen < s->rows_n)
		(void)str_clean(top->chosen, sizeof(top->chosen), s->rows[top->look.chosen].name);
}

/* It stays chosen where it went; if it has gone, its neighbour is. */
static void follow_chosen(struct top *top)
{
	const struct top_sample *s = &top->sample;

	for (size_t i = 0; i < s->rows_n; i++) {
		if (str_eq(s->rows[i].name, top->chosen))
			top->look.chosen = i;
	}
	if (top->look.chosen >= s->rows_n)
		top->look.chosen = s->rows_n > 0 ? s->rows_n - 1 : 0;
	remember(top);
}

static void scroll(struct top *top)
{
	size_t rows = top_view_rows(&top->sample, &top->look);
	struct top_look *l = &top->look;

	if (l->chosen < l->first)
		l->first = l->chosen;
	if (l->chosen >= l->first + rows)
		l->first = l->chosen + 1 - rows;
	if (l->first + rows > top->sample.rows_n)
		l->first = top->sample.rows_n > rows ? top->sample.rows_n - rows : 0;
}

static void move(struct top *top, int64_t by)
{
	int64_t last = (int64_t)top->sample.rows_n - 1;
	int64_t to = (int64_t)top->look.chosen + by;

	top->look.chosen = (size_t)HALE_MAX(HALE_MIN(to, last), (int64_t)0);
	remember(top);
}

/* ---- restart ---- */

static void ask_restart(struct top *top)
{
	if (str_eq(top->chosen, "haled")) {
		(void)snprintf(top->message, sizeof(top->message),
			       "haled is restarted by whoever started it");
		return;
	}
	(void)snprintf(top->message, sizeof(top->message), "Restart %s? (y/n)", top->chosen);
	top->is_asking = true;
}

static const struct top_row *row_of(const struct top *top, const char *name)
{
	for (size_t i = 0; i < top->sample.rows_n; i++) {
		if (str_eq(top->sample.rows[i].name, name))
			return &top->sample.rows[i];
	}
	return NULL;
}

static void restart(struct top *top)
{
	const struct top_row *row = row_of(top, top->chosen);
	json_t *answer = NULL;
	struct err err = {0};
	int code;

	if (row == NULL)
		return;
	top->generation = field_int(row->process, "generation", 0);
	top->asked_ms = clock_wall_ms();
	code = cli_try(top->cli, "haled", "process.restart",
		       json_pack("{s:[s]}", "names", row->name), ASK_TIMEOUT_MS, &answer, NULL,
		       &err);
	json_decref(answer);
	if (code != 0) {
		(void)snprintf(top->message, sizeof(top->message), "%s", err.text);
		return;
	}
	(void)snprintf(top->message, sizeof(top->message), "Restarting %s …", top->chosen);
	(void)snprintf(top->restarting, sizeof(top->restarting), "%s", top->chosen);
}

/* Says how long it took, once it is ready again. */
static void watch_restart(struct top *top)
{
	const struct top_row *row = row_of(top, top->restarting);
	char took[TEXT_TIME_MAX];
	int64_t since_ms;

	if (row == NULL || field_int(row->process, "generation", 0) <= top->generation ||
	    !str_eq(field_text(row->process, "state"), "ready") ||
	    !field_time(row->process, "since", &since_ms))
		return;
	(void)snprintf(top->message, sizeof(top->message), "%s ready in %s", top->restarting,
		       text_took((double)HALE_MAX(since_ms - top->asked_ms, 0), took));
	top->restarting[0] = '\0';
}

/* ---- the live page ---- */

static void draw(struct top *top)
{
	HALE_CLEANUP(str_done) struct str page = {0};

	top->look.width = top->screen.width;
	top->look.height = top->screen.height;
	top->look.message = top->message[0] == '\0' ? NULL : top->message;
	scroll(top);
	if (top->is_help)
		top_view_help(&page);
	else
		top_view_format(&page, &top->sample, &top->look);
	screen_draw(&top->screen, str_text(&page));
}

/* A haled that goes away is waited for: that is what one watches. */
static void look_again(struct top *top)
{
	struct err err = {0};

	if (sample_next(top, ASK_TIMEOUT_MS, &err) != 0) {
		(void)snprintf(top->message, sizeof(top->message), "%s", err.text);
		return;
	}
	follow_chosen(top);
	watch_restart(top);
}

static void answer_question(struct top *top, int key)
{
	top->is_asking = false;
	top->message[0] = '\0';
	if (key == 'y' || key == 'Y')
		restart(top);
}

static void sort_next(struct top *top)
{
	top->look.sort = (enum top_sort)((top->look.sort + 1) % TOP_SORT_MAX);
	top_sample_sort(&top->sample, top->look.sort);
	follow_chosen(top);
}

static void on_key(struct top *top, int key)
{
	int64_t page = (int64_t)top_view_rows(&top->sample, &top->look);
	static const struct {
		int key;
		int lines, pages;
	} moves[] = {
		{'j', 1, 0},           {KEY_DOWN, 1, 0},      {'k', -1, 0},
		{KEY_UP, -1, 0},       {KEY_PAGE_DOWN, 0, 1}, {KEY_PAGE_UP, 0, -1},
		{KEY_HOME, 0, -10000}, {'g', 0, -10000},      {KEY_END, 0, 10000},
		{'G', 0, 10000},
	};

	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		if (moves[i].key == key)
			move(top, moves[i].lines + moves[i].pages * page);
	}
	if (key == 's')
		sort_next(top);
	else if (key == 'r')
		ask_restart(top);
	else if (key == '?' || key == 'h')
		top->is_help = true;
}

/* False: quit. */
static bool handle(struct top *top, int key)
{
	if (key == KEY_END_OF_INPUT)
		return false;
	if (key == KEY_REDRAW)
		return true;
	if (top->is_help) {
		top->is_help = false;
	} else if (top->is_asking) {
		answer_question(top, key);
	} else {
		if (key == 'q' || key == 'Q')
			return false;
		top->message[0] = '\0';
		on_key(top, key);
	}
	return true;
}

static int live(struct top *top)
{
	int64_t next_ms = clock_mono_ms() + top->interval_ms;
	bool goes_on = true;
	struct err err = {0};
	int code = sample_next(top, CLI_TIMEOUT_MS, &err);

	if (code != 0)
		return cli_tell_failure(top->cli, "haled", code, &err);
	if (screen_open(&top->screen, top->cli->out) < 0)
		return cli_refuse(top->cli, CLI_FAILED,
				  "top: this is no terminal (see: hale top -n 1)");
	top->look.is_live = true;
	follow_chosen(top);
	while (goes_on && ferror(top->cli->out) == 0) {
		int64_t left = next_ms - clock_mono_ms();
		int key = KEY_NONE;

		draw(top);
		if (left > 0)
			key = screen_wait(&top->screen, (int)left);
		if (key != KEY_NONE)
			goes_on = handle(top, key);
		if (goes_on && (key == ' ' || clock_mono_ms() >= next_ms)) {
			look_again(top);
			next_ms = clock_mono_ms() + top->interval_ms;
		}
	}
	screen_close(&top->screen);
	return CLI_DONE;
}

int verb_top(struct cli *cli, const struct args *args)
{
	struct top top = {.cli = cli,
			  .interval_ms = args_number(args, "interval", INTERVAL_DEFAULT_MS),
			  .look = {.width = cli->width, .has_colour = cli->has_colour}};
	const char *sort = args_text(args, "sort");
	int code;

	if (top.interval_ms < INTERVAL_MIN_MS || top.interval_ms > INT32_MAX)
		return cli_refuse(cli, CLI_USAGE,
				  "top: --interval is at least %dms and less than 24d",
				  INTERVAL_MIN_MS);
	if (sort != NULL && !top_sort_from_name(sort, &top.look.sort))
		return cli_refuse(cli, CLI_USAGE,
				  "top: '%s' is not one of name, cpu, memory, restarts", sort);
	if (args_is(args, "count") || cli->is_json || !screen_is_possible())
		code = print_samples(&top, args_number(args, "count", 1));
	else
		code = live(&top);
	top_sample_done(&top.sample);
	return code;
}
