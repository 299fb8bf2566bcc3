/* SPDX-License-Identifier: Apache-2.0 */
#include "unit_judge.h"

#include <string.h>

#include "unit_name.h"

static const char *const changing_states[] = {"activating", "deactivating", "maintenance", NULL};
static const char *const reloading_states[] = {"reloading", "refreshing", NULL};

static bool is_one_of(const char *const *words, const char *word)
{
	for (; *words != NULL; words++) {
		if (strcmp(*words, word) == 0)
			return true;
	}
	return false;
}

enum unit_verdict unit_verdict_of(const struct unit_status *status, const struct strlist *wanted)
{
	/* A unit that is not there is "inactive" to systemd: that is nobody's wish. */
	if (strcmp(status->load, "not-found") == 0)
		return UNIT_STOPPED;
	if (strlist_has(wanted, status->active))
		return UNIT_RUNNING;
	if (is_one_of(reloading_states, status->active) && strlist_has(wanted, "active"))
		return UNIT_RUNNING;
	return is_one_of(changing_states, status->active) ? UNIT_CHANGING : UNIT_STOPPED;
}

/* "inactive (dead)" says the same twice, "failed (failed)" too; why it failed is worth more. */
void unit_describe(const struct unit_status *status, struct str *out)
{
	const char *why = status->sub;

	if (strcmp(status->load, "not-found") == 0) {
		str_add(out, "not found");
		return;
	}
	if (strcmp(status->active, "failed") == 0)
		why = strcmp(status->result, "success") == 0 ? "" : status->result;
	if (strcmp(status->load, "loaded") != 0)
		why = status->load; /* masked, bad-setting, error */
	str_add(out, status->active);
	if (*why != '\0' && strcmp(why, "dead") != 0 && strcmp(why, status->active) != 0)
		str_addf(out, " (%s)", why);
}

static const char *plural_of(const struct unit_seen *units, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *type = unit_name_type(units[i].name);

		if (*type != '\0' && strcmp(type, "service") != 0)
			return "units";
	}
	return "services";
}

static size_t count(const struct unit_seen *units, size_t n, enum unit_verdict verdict)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += units[i].verdict == verdict;
	return found;
}

/* Names alone, but where a name is not what it seems. */
static void add_names(const struct unit_seen *units, size_t n, enum unit_verdict verdict,
		      struct str *out)
{
	const char *separator = "";

	for (size_t i = 0; i < n; i++) {
		const struct unit_status *s = &units[i].status;

		if (units[i].verdict != verdict)
			continue;
		str_addf(out, "%s%s", separator, units[i].name);
		if (verdict == UNIT_CHANGING || strcmp(s->load, "loaded") != 0) {
			str_add(out, " (");
			unit_describe(s, out);
			str_addc(out, ')');
		}
		separator = ", ";
	}
}

static void add_wanted(const struct strlist *wanted, struct str *out)
{
	for (size_t i = 0; i < wanted->n; i++)
		str_addf(out, "%s%s", i == 0 ? "" : " or ", wanted->v[i]);
}

static bool wants_active_alone(const struct strlist *wanted)
{
	return wanted->n == 1 && strcmp(wanted->v[0], "active") == 0;
}

static enum reason judge_one(const struct unit_seen *unit, const struct strlist *wanted,
			     struct str *message)
{
	str_addf(message, "%s is ", unit->name);
	unit_describe(&unit->status, message);
	if (unit->verdict == UNIT_RUNNING)
		return REASON_OK;
	if (!wants_active_alone(wanted)) {
		str_add(message, ", expected ");
		add_wanted(wanted, message);
	}
	return unit->verdict == UNIT_CHANGING ? REASON_UNIT_CHANGING : REASON_UNIT_DOWN;
}

enum reason unit_judge(const struct unit_seen *units, size_t n, const struct strlist *wanted,
		       struct str *message)
{
	size_t stopped = count(units, n, UNIT_STOPPED);
	size_t changing = count(units, n, UNIT_CHANGING);
	const char *plural = plural_of(units, n);
	const bool is_usual = wants_active_alone(wanted);

	if (n == 1)
		return judge_one(units, wanted, message);
	if (stopped == n) {
		str_addf(message, is_usual ? "All %s down" : "All %s not as expected", plural);
		return REASON_UNIT_DOWN;
	}
	if (stopped > 0) {
		str_addf(message, "%zu %s %s: ", stopped, plural,
			 is_usual ? "down" : "not as expected");
		add_names(units, n, UNIT_STOPPED, message);
		return REASON_UNITS_DOWN;
	}
	if (changing > 0) {
		str_addf(message, "%zu %s changing: ", changing, plural);
		add_names(units, n, UNIT_CHANGING, message);
		return REASON_UNIT_CHANGING;
	}
	str_addf(message, is_usual ? "All %zu %s running" : "All %zu %s as expected", n, plural);
	return REASON_OK;
}
