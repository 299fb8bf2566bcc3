/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/sub.h"
