/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <errno.h>

#include "base/cleanup.h"

void control_init(struct control *c)
{
	*c = (struct control){0};
	HALE_ASSERT(pthread_mutex_init(&c->lock, NULL) == 0);
}

void control_done(struct control *c)
{
	HALE_ASSERT(c->db == NULL);
	(void)pthread_mutex_destroy(&c->lock);
}

static void use(struct control *c, struct db *db)
{
	(void)pthread_mutex_lock(&c->lock);
	c->db = db;
	(void)pthread_mutex_unlock(&c->lock);
}

int control_open(struct control *c, const struct db_target *target, struct db **db_r,
		 struct err *err)
{
	int rc = db_open(target, db_r, err);

	if (rc == 0)
		use(c, *db_r);
	return rc;
}

void control_close(struct control *c, struct db *db)
{
	if (db == NULL)
		return;
	use(c, NULL);
	db_close(db);
}

int control_step(struct control *c, enum control_step step, struct err *err)
{
	atomic_fetch_add(&c->steps, 1);
	if (c->on_step != NULL)
		c->on_step(c->ctx, step);
	return atomic_load(&c->is_stopped) ? err_set(err, -EINTR, "stopped") : 0;
}

void control_stop(struct control *c)
{
	atomic_store(&c->is_stopped, true);
	(void)pthread_mutex_lock(&c->lock);
	if (c->db != NULL)
		db_interrupt(c->db);
	(void)pthread_mutex_unlock(&c->lock);
}

uint64_t control_steps(const struct control *c)
{
	return atomic_load(&c->steps);
}
