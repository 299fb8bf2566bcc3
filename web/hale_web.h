/* SPDX-License-Identifier: Apache-2.0 */
/* hale_web - the process: haled's feed into live, and live onto the network
 *
 * The only process that listens to a network (DESIGN section 12).
 */
#ifndef HALE_WEB_HALE_WEB_H
#define HALE_WEB_HALE_WEB_H

#include "service/service.h"

extern const struct service_ops hale_web_service;

#endif
