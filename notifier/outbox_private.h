/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_private - what the two files of the outbox share */
#ifndef HALE_NOTIFIER_OUTBOX_PRIVATE_H
#define HALE_NOTIFIER_OUTBOX_PRIVATE_H

#include "db/db.h"

struct outbox;

struct db *outbox_db(struct outbox *o);

#endif
