/* SPDX-License-Identifier: Apache-2.0 */
/* service_double - the service under test: does what its slice says
 *
 * {"mode": "ready" | "wrong" | "broken" | "fail_later" | "silent", "publish": lines}
 */
#ifndef HALE_TESTS_SERVICE_DOUBLE_H
#define HALE_TESTS_SERVICE_DOUBLE_H

#include "service/service.h"

extern const struct service_ops double_ops;

#endif
