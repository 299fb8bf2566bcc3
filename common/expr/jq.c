/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/jq.h"
