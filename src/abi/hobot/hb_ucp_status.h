// SPDX-License-Identifier: Apache-2.0
// Where programs for boards look for the status codes.
#pragma once

#include "../hb_ucp_status.h"
