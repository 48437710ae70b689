/* SPDX-License-Identifier: Apache-2.0
 * Section 1 of the fact sheet: loading, handles, names and descriptions of models. */
#include <stdlib.h>

#include "conformance.h"

static void* read_whole(const char* path, int32_t* size) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) return NULL;
  fseek(file, 0, SEEK_END);
  const long length = ftell(file);
  rewind(file);
  void* bytes = malloc((size_t)length + 1);
  *size = (int32_t)fread(bytes, 1, (size_t)length, file);
  fclose(file);
  return bytes;
}

static int32_t status_of(const char* file) {
  hbDNNPackedHandle_t packed = NULL;
  const char* path = model_path(file);
  const int32_t status = hbDNNInitializeFromFiles(&packed, &path, 1);
  if (packed != NULL) hbDNNRelease(packed);
  return status;
}

static void check_versions(void) {
  ROW("1", "hbDNNGetVersion gives a static text before anything is loaded") {
    const char* version = hbDNNGetVersion();
    REQUIRE(version != NULL);
    EXPECT(version[0] >= '0' && version[0] <= '9');
    EXPECT(hbDNNGetVersion() == version);
  }
  ROW("1", "hbDNNGetVersion has the banner's form: version, _(engine)") {
    const char* bracket = strstr(hbDNNGetVersion(), "_(");
    REQUIRE(bracket != NULL);
    EXPECT(hbDNNGetVersion()[strlen(hbDNNGetVersion()) - 1] == ')');
  }
  ROW("1", "hbUCPGetVersion gives three numbers, hbUCPGetSocName a text; both static") {
    int numbers[3] = {-1, -1, -1};
    REQUIRE(hbUCPGetVersion() != NULL && hbUCPGetSocName() != NULL);
    EXPECT_EQ(sscanf(hbUCPGetVersion(), "%d.%d.%d", &numbers[0], &numbers[1], &numbers[2]), 3);
    EXPECT_EQ(numbers[0], 3);
    EXPECT(hbUCPGetVersion() == hbUCPGetVersion());
    EXPECT(hbUCPGetSocName()[0] != '\0');
    EXPECT(hbUCPGetSocName() == hbUCPGetSocName());
  }
}

static void check_handles(void) {
  ROW("1", "InitializeFromFiles: null out, list or entry, and a count below 1: -100001") {
    hbDNNPackedHandle_t packed = NULL;
    const char* path = model_path("basic.hbm");
    const char* nothing = NULL;
    EXPECT_EQ(hbDNNInitializeFromFiles(NULL, &path, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInitializeFromFiles(&packed, NULL, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInitializeFromFiles(&packed, &nothing, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInitializeFromFiles(&packed, &path, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInitializeFromFiles(&packed, &path, -1), HB_UCP_INVALID_ARGUMENT);
    EXPECT(packed == NULL);
  }
  ROW("1", "InitializeFromFiles: a null entry behind a good file loads nothing") {
    hbDNNPackedHandle_t packed = NULL;
    const char* paths[] = {model_path("basic.hbm"), NULL};
    EXPECT_EQ(hbDNNInitializeFromFiles(&packed, paths, 2), HB_UCP_INVALID_ARGUMENT);
    EXPECT(packed == NULL);
  }
  ROW("1", "InitializeFromFiles makes a handle, hbDNNRelease ends it") {
    hbDNNPackedHandle_t packed = load("basic.hbm");
    REQUIRE(packed != NULL);
    EXPECT_OK(hbDNNRelease(packed));
  }
  ROW("1", "hbDNNRelease: a null, foreign or released handle: -100001") {
    int on_the_stack = 0;
    EXPECT_EQ(hbDNNRelease(NULL), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNRelease(&on_the_stack), HB_UCP_INVALID_ARGUMENT);
    hbDNNPackedHandle_t packed = load("basic.hbm");
    REQUIRE_OK(hbDNNRelease(packed));
    EXPECT_EQ(hbDNNRelease(packed), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "after hbDNNRelease every model handle of it is dead") {
    hbDNNPackedHandle_t packed = load("basic.hbm");
    hbDNNHandle_t model = model_of(packed, "double");
    REQUIRE_OK(hbDNNRelease(packed));
    int32_t count = 0;
    hbDNNTensorProperties properties;
    EXPECT_EQ(hbDNNGetInputCount(&count, model), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputTensorProperties(&properties, model, 0), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "hbDNNRelease while a task of the model runs: -600003; afterwards it succeeds") {
    hbDNNPackedHandle_t packed = load("slow.hbm");
    Job job;
    REQUIRE(job_open(&job, model_of(packed, "slow_200ms"), 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_EQ(hbDNNRelease(packed), HB_UCP_MODEL_IS_INUSE);
    EXPECT_OK(job_wait(&job, WAIT_MS));
    job_close(&job);
    EXPECT_OK(hbDNNRelease(packed));
  }
  ROW("1", "the same file loaded twice: two handles, and one outlives the other") {
    hbDNNPackedHandle_t first = load("basic.hbm");
    hbDNNPackedHandle_t second = load("basic.hbm");
    REQUIRE(first != NULL && second != NULL && first != second);
    EXPECT_OK(hbDNNRelease(first));
    Job job;
    REQUIRE(job_open(&job, model_of(second, "double"), 0));
    ((float*)input_data(&job, 0))[2] = 21;
    EXPECT_OK(job_run(&job));
    EXPECT(((const float*)output_data(&job, 0))[2] == 42);
    job_close(&job);
    EXPECT_OK(hbDNNRelease(second));
  }
  ROW("1", "InitializeFromDDR: null out, data, lengths or entry, and a count below 1: -100001") {
    hbDNNPackedHandle_t packed = NULL;
    int32_t size = 0;
    void* bytes = read_whole(model_path("basic.hbm"), &size);
    const void* data = bytes;
    const void* nothing = NULL;
    EXPECT_EQ(hbDNNInitializeFromDDR(NULL, &data, &size, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInitializeFromDDR(&packed, NULL, &size, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInitializeFromDDR(&packed, &data, NULL, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInitializeFromDDR(&packed, &nothing, &size, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInitializeFromDDR(&packed, &data, &size, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT(packed == NULL);
    free(bytes);
  }
  ROW("1", "InitializeFromDDR loads what InitializeFromFiles loads") {
    hbDNNPackedHandle_t packed = NULL;
    int32_t size = 0;
    void* bytes = read_whole(model_path("basic.hbm"), &size);
    const void* data = bytes;
    EXPECT_OK(hbDNNInitializeFromDDR(&packed, &data, &size, 1));
    const char** names = NULL;
    int32_t count = 0;
    EXPECT_OK(hbDNNGetModelNameList(&names, &count, packed));
    EXPECT_EQ(count, 2);
    EXPECT_OK(hbDNNRelease(packed));
    free(bytes);
  }
  not_observable("1", "whether InitializeFromDDR's buffers may be freed at once",
                 "the sheet does not know it; the suite keeps them until hbDNNRelease");
}

static void check_listing(void) {
  hbDNNPackedHandle_t packed = load("basic.hbm");
  ROW("1", "GetModelNameList: names in the file's order, in the library's memory until Release") {
    const char** names = NULL;
    const char** again = NULL;
    int32_t count = 0;
    EXPECT_OK(hbDNNGetModelNameList(&names, &count, packed));
    REQUIRE(count == 2 && names != NULL);
    EXPECT(strcmp(names[0], "double") == 0 && strcmp(names[1], "negate") == 0);
    EXPECT_OK(hbDNNGetModelNameList(&again, &count, packed));
    EXPECT(again == names && again[0] == names[0]);
  }
  ROW("1", "GetModelNameList: a null argument or bad handle is refused") {
    const char** names = NULL;
    int32_t count = 0;
    EXPECT_EQ(hbDNNGetModelNameList(NULL, &count, packed), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetModelNameList(&names, NULL, packed), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetModelNameList(&names, &count, NULL), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetModelNameList(&names, &count, &count), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "GetModelHandle: the same handle for the same name, another for another name") {
    hbDNNHandle_t first = model_of(packed, "double");
    EXPECT(first != NULL);
    EXPECT(model_of(packed, "double") == first);
    EXPECT(model_of(packed, "negate") != first);
  }
  ROW("1", "GetModelHandle: null arguments and bad packed handles: -100001") {
    hbDNNHandle_t model = NULL;
    EXPECT_EQ(hbDNNGetModelHandle(NULL, packed, "double"), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetModelHandle(&model, NULL, "double"), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetModelHandle(&model, packed, NULL), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetModelHandle(&model, &model, "double"), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "GetModelHandle: an unknown name gives an error (its code is not known)") {
    hbDNNHandle_t model = NULL;
    EXPECT_REFUSED(hbDNNGetModelHandle(&model, packed, "unknown"));
    EXPECT_REFUSED(hbDNNGetModelHandle(&model, packed, ""));
    EXPECT(model == NULL);
  }
  ROW("1", "GetCompileBpuCoreNum: 1 for a single-core model; null or bad handle: -100001") {
    int32_t count = 0;
    hbDNNHandle_t model = model_of(packed, "double");
    EXPECT_OK(hbDNNGetCompileBpuCoreNum(&count, model));
    EXPECT_EQ(count, 1);
    EXPECT_EQ(hbDNNGetCompileBpuCoreNum(NULL, model), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetCompileBpuCoreNum(&count, NULL), HB_UCP_INVALID_ARGUMENT);
  }
  if (packed != NULL) EXPECT_OK(hbDNNRelease(packed));
}

static void check_descriptions(void) {
  hbDNNPackedHandle_t packed = load("basic.hbm");
  hbDNNHandle_t model = model_of(packed, "double");
  const char* text = NULL;
  uint32_t size = 0;
  int32_t type = -1;
  ROW("1", "GetModelDesc: JSON with the build's keys, of type string") {
    EXPECT_OK(hbDNNGetModelDesc(&text, &size, &type, model));
    EXPECT_EQ(type, HB_DNN_DESC_TYPE_STRING);
    REQUIRE(text != NULL && size > 0);
    EXPECT(text[0] == '{');
    EXPECT(strstr(text, "\"MARCH\"") != NULL);
    EXPECT(strstr(text, "\"CORE_NUM\"") != NULL);
    EXPECT(strstr(text, "\"MAX_TIME_PER_FC\"") != NULL);
  }
  ROW("1", "GetHBMDesc: by file in load order, with the packed handle") {
    EXPECT_OK(hbDNNGetHBMDesc(&text, &size, &type, packed, 0));
    EXPECT_EQ(type, HB_DNN_DESC_TYPE_STRING);
    EXPECT_EQ(size, strlen("two models in one file"));
    EXPECT(memcmp(text, "two models in one file", size) == 0);
    EXPECT_EQ(hbDNNGetHBMDesc(&text, &size, &type, packed, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetHBMDesc(&text, &size, &type, packed, -1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetHBMDesc(&text, &size, &type, model, 0), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "GetInputDesc, GetOutputDesc: the size counts bytes, NULs within included") {
    EXPECT_OK(hbDNNGetInputDesc(&text, &size, &type, model, 0));
    EXPECT_EQ(size, 11);
    EXPECT(memcmp(text, "four\0inputs", 11) == 0);
    EXPECT_OK(hbDNNGetOutputDesc(&text, &size, &type, model, 0));
    EXPECT_EQ(size, 9);
    EXPECT(memcmp(text, "\0doubled\0", 9) == 0);
    EXPECT_EQ(type, HB_DNN_DESC_TYPE_STRING);
  }
  ROW("1", "an empty description has the size 0") {
    hbDNNHandle_t plain = model_of(packed, "negate");
    size = 77;
    EXPECT_OK(hbDNNGetInputDesc(&text, &size, &type, plain, 0));
    EXPECT_EQ(size, 0);
    size = 77;
    EXPECT_OK(hbDNNGetOutputDesc(&text, &size, &type, plain, 0));
    EXPECT_EQ(size, 0);
  }
  ROW("1", "descriptions: all three out pointers must be given") {
    EXPECT_REFUSED(hbDNNGetModelDesc(NULL, &size, &type, model));
    EXPECT_REFUSED(hbDNNGetModelDesc(&text, NULL, &type, model));
    EXPECT_REFUSED(hbDNNGetModelDesc(&text, &size, NULL, model));
    EXPECT_REFUSED(hbDNNGetHBMDesc(NULL, &size, &type, packed, 0));
    EXPECT_REFUSED(hbDNNGetHBMDesc(&text, NULL, &type, packed, 0));
    EXPECT_REFUSED(hbDNNGetHBMDesc(&text, &size, NULL, packed, 0));
    EXPECT_REFUSED(hbDNNGetInputDesc(NULL, &size, &type, model, 0));
    EXPECT_REFUSED(hbDNNGetInputDesc(&text, NULL, &type, model, 0));
    EXPECT_REFUSED(hbDNNGetInputDesc(&text, &size, NULL, model, 0));
    EXPECT_REFUSED(hbDNNGetOutputDesc(NULL, &size, &type, model, 0));
    EXPECT_REFUSED(hbDNNGetOutputDesc(&text, NULL, &type, model, 0));
    EXPECT_REFUSED(hbDNNGetOutputDesc(&text, &size, NULL, model, 0));
  }
  ROW("1", "descriptions: a bad handle or index is refused") {
    EXPECT_EQ(hbDNNGetModelDesc(&text, &size, &type, NULL), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetInputDesc(&text, &size, &type, NULL, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetInputDesc(&text, &size, &type, model, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputDesc(&text, &size, &type, model, -1), HB_UCP_INVALID_ARGUMENT);
  }
  if (packed != NULL) EXPECT_OK(hbDNNRelease(packed));
}

void check_models(void) {
  check_versions();
  check_handles();
  check_listing();
  check_descriptions();
}

void check_model_files(void) {
  ROW("1", "a missing file or a folder: -500001") {
    EXPECT_EQ(status_of("missing.hbm"), HB_UCP_FILE_OPEN_FAILED);
    EXPECT_EQ(status_of("."), HB_UCP_FILE_OPEN_FAILED);
  }
  ROW("1", "a file that is no model: -600002") {
    EXPECT_EQ(status_of("foreign.hbm"), HB_UCP_MODEL_INVALID);
    EXPECT_EQ(status_of("empty.hbm"), HB_UCP_MODEL_INVALID);
  }
  ROW("1", "a model that is cut off or damaged: -600002") {
    EXPECT_EQ(status_of("truncated.hbm"), HB_UCP_MODEL_INVALID);
    EXPECT_EQ(status_of("damaged_metadata.hbm"), HB_UCP_MODEL_INVALID);
    EXPECT_EQ(status_of("damaged_graph.hbm"), HB_UCP_MODEL_INVALID);
    EXPECT_EQ(status_of("longer.hbm"), HB_UCP_MODEL_INVALID);
  }
  ROW("1", "a model of another version of the format: -600002") {
    EXPECT_EQ(status_of("older.hbm"), HB_UCP_MODEL_INVALID);
    EXPECT_EQ(status_of("newer.hbm"), HB_UCP_MODEL_INVALID);
  }
  ROW("1", "a model whose graph cannot be built or contradicts its tensors: -600002") {
    EXPECT_EQ(status_of("no_graph.hbm"), HB_UCP_MODEL_INVALID);
    EXPECT_EQ(status_of("other_type.hbm"), HB_UCP_MODEL_INVALID);
  }
  ROW("1", "a bad file behind a good one: nothing is loaded") {
    const char* good = strdup(model_path("basic.hbm"));
    const char* paths[] = {good, model_path("truncated.hbm")};
    hbDNNPackedHandle_t packed = NULL;
    EXPECT_EQ(hbDNNInitializeFromFiles(&packed, paths, 2), HB_UCP_MODEL_INVALID);
    EXPECT(packed == NULL);
    free((void*)good);
  }
  ROW("1", "a length below what the file says, from memory: -600002") {
    int32_t size = 0;
    void* bytes = read_whole(model_path("basic.hbm"), &size);
    hbDNNPackedHandle_t packed = NULL;
    const void* data = bytes;
    for (int32_t length = 0; length < size; length += 97) {
      int32_t shorter = length;
      EXPECT_EQ(hbDNNInitializeFromDDR(&packed, &data, &shorter, 1), HB_UCP_MODEL_INVALID);
    }
    free(bytes);
  }
  ROW("1", "a march that no chip has: -600004") {
    EXPECT_EQ(status_of("march_b.hbm"), HB_UCP_MODEL_INCOMPATIBLE);
  }
}
