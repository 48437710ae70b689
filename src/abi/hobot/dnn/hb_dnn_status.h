// SPDX-License-Identifier: Apache-2.0
// Where programs for boards look for hb_dnn's names of the status codes.
#pragma once

#include "../../hb_dnn_status.h"
