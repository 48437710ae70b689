// SPDX-License-Identifier: Apache-2.0
// Where programs for boards look for the model functions.
#pragma once

#include "../../hb_dnn.h"
