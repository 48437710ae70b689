/* SPDX-License-Identifier: Apache-2.0
 * Section 5.7 of the fact sheet: where names come from, and names that come twice. */
#include <stdlib.h>

#include "conformance.h"

void check_names(void) {
  char* basic = strdup(model_path("basic.hbm"));
  char* twin = strdup(model_path("twin.hbm"));
  ROW("5.7", "names come from inside of the file; a file may hold several models") {
    hbDNNPackedHandle_t packed = load("basic.hbm");
    const char** names = NULL;
    int32_t count = 0;
    EXPECT_OK(hbDNNGetModelNameList(&names, &count, packed));
    EXPECT_EQ(count, 2);
    EXPECT(strcmp(names[0], "basic") != 0);
    EXPECT_OK(hbDNNRelease(packed));
  }
  ROW("5.7", "a name that comes again in one call: the first wins, the later one is dropped") {
    const char* paths[] = {basic, twin};
    hbDNNPackedHandle_t packed = NULL;
    const char** names = NULL;
    int32_t count = 0;
    hbDNNTensorProperties properties;
    REQUIRE_OK(hbDNNInitializeFromFiles(&packed, paths, 2));
    EXPECT_OK(hbDNNGetModelNameList(&names, &count, packed));
    REQUIRE(count == 3);
    EXPECT(strcmp(names[0], "double") == 0 && strcmp(names[2], "other") == 0);
    EXPECT_OK(hbDNNGetInputTensorProperties(&properties, model_of(packed, "double"), 0));
    EXPECT_EQ(properties.validShape.dimensionSize[1], 4); /* twin.hbm's has 8 */
    EXPECT_OK(hbDNNRelease(packed));
  }
  ROW("5.7", "the order of the files decides who is the first") {
    const char* paths[] = {twin, basic};
    hbDNNPackedHandle_t packed = NULL;
    hbDNNTensorProperties properties;
    REQUIRE_OK(hbDNNInitializeFromFiles(&packed, paths, 2));
    EXPECT_OK(hbDNNGetInputTensorProperties(&properties, model_of(packed, "double"), 0));
    EXPECT_EQ(properties.validShape.dimensionSize[1], 8);
    EXPECT_OK(hbDNNRelease(packed));
  }
  ROW("5.7", "descriptions of files count files, also those whose models were dropped") {
    const char* paths[] = {basic, basic, twin};
    hbDNNPackedHandle_t packed = NULL;
    const char** names = NULL;
    int32_t count = 0;
    REQUIRE_OK(hbDNNInitializeFromFiles(&packed, paths, 3));
    EXPECT_OK(hbDNNGetModelNameList(&names, &count, packed));
    EXPECT_EQ(count, 3);
    const char* text = NULL;
    uint32_t size = 77;
    int32_t type = 0;
    EXPECT_OK(hbDNNGetHBMDesc(&text, &size, &type, packed, 1));
    EXPECT_EQ(size, strlen("two models in one file"));
    EXPECT_OK(hbDNNGetHBMDesc(&text, &size, &type, packed, 2));
    EXPECT_EQ(size, 0);
    EXPECT_EQ(hbDNNGetHBMDesc(&text, &size, &type, packed, 3), HB_UCP_INVALID_ARGUMENT);
    EXPECT_OK(hbDNNRelease(packed));
  }
  ROW("5.7", "the same name in two calls: two models, each in its own handle") {
    hbDNNPackedHandle_t first = load("basic.hbm");
    hbDNNPackedHandle_t second = load("twin.hbm");
    EXPECT(model_of(first, "double") != model_of(second, "double"));
    EXPECT_OK(hbDNNRelease(first));
    EXPECT_OK(hbDNNRelease(second));
  }
  free(basic);
  free(twin);
}
