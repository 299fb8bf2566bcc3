/* SPDX-License-Identifier: Apache-2.0 */
#include "service/child_proto.h"
