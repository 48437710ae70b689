// SPDX-License-Identifier: Apache-2.0
// Where programs for boards look for the task and memory functions.
#pragma once

#include "../hb_ucp.h"
