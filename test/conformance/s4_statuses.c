/* SPDX-License-Identifier: Apache-2.0
 * Section 4 of the fact sheet: every status code, its number, its alias and its text. */
#include "conformance.h"

typedef struct Code {
  int32_t value; /* what the header says */
  int32_t sheet;
} Code;

static bool has_own_text(int32_t code) {
  const char* text = hbUCPGetErrorDesc(code);
  return text != NULL && text[0] != '\0' && strcmp(text, hbUCPGetErrorDesc(-999999)) != 0;
}

static void check_row(const char* text, const Code* codes, size_t count) {
  ROW("4", text) {
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(codes[i].value, codes[i].sheet);
      EXPECT(has_own_text(codes[i].sheet));
      for (size_t j = 0; j < i; ++j) {
        EXPECT(strcmp(hbUCPGetErrorDesc(codes[i].sheet), hbUCPGetErrorDesc(codes[j].sheet)) != 0);
      }
    }
  }
}

#define CHECK_CODES(text, ...)                 \
  do {                                         \
    static const Code codes[] = {__VA_ARGS__}; \
    check_row(text, codes, COUNT_OF(codes));   \
  } while (0)

void check_statuses(void) {
  CHECK_CODES("0 is success", {HB_UCP_SUCCESS, 0});
  CHECK_CODES("-100001 is an invalid argument", {HB_UCP_INVALID_ARGUMENT, -100001});
  CHECK_CODES("-100002 is a wrong order of calls", {HB_UCP_API_USE_ERROR, -100002});
  CHECK_CODES("-100003 and -100004: start failed, internal error", {HB_UCP_INIT_FAILED, -100003},
              {HB_UCP_UNKNOWN_ERROR, -100004});
  CHECK_CODES("-200001 is too many tasks", {HB_UCP_TASK_NUMBER_EXCEED_LIMIT, -200001});
  CHECK_CODES("-200002 is an expired wait", {HB_UCP_TASK_TIMEOUT, -200002});
  CHECK_CODES("-200003 is a failed or cancelled task", {HB_UCP_TASK_RUN_FAILED, -200003});
  CHECK_CODES("-200004 is a bad task handle or state", {HB_UCP_TASK_HANDLE_INVALID, -200004});
  CHECK_CODES("-300001 to -300003: operators", {HB_UCP_OP_NUMBER_EXCEED_LIMIT, -300001},
              {HB_UCP_OP_NOT_REGISTER, -300002}, {HB_UCP_OP_CMD_UNAVAILABLE, -300003});
  CHECK_CODES("-400001 to -400007: memory", {HB_UCP_MEM_ALLOC_FAIL, -400001},
              {HB_UCP_MEM_FREE_FAIL, -400002}, {HB_UCP_MEM_FLUSH_FAIL, -400003},
              {HB_UCP_MEM_INVALIDATE_FAIL, -400004}, {HB_UCP_MEM_IS_INVALID, -400005},
              {HB_UCP_MEM_MAP_FAIL, -400006}, {HB_UCP_MEM_UNMAP_FAIL, -400007});
  CHECK_CODES("-500001 is a file that cannot be opened", {HB_UCP_FILE_OPEN_FAILED, -500001});
  CHECK_CODES("-600001 to -600004: models", {HB_UCP_MODEL_NUMBER_EXCEED_LIMIT, -600001},
              {HB_UCP_MODEL_INVALID, -600002}, {HB_UCP_MODEL_IS_INUSE, -600003},
              {HB_UCP_MODEL_INCOMPATIBLE, -600004});
  CHECK_CODES("-700001 to -700009: DSP", {HB_UCP_DSP_UNAVAILABLE, -700001},
              {HB_UCP_DSP_XV_ALLOC_FAIL, -700002}, {HB_UCP_DSP_XV_FREE_FAIL, -700003},
              {HB_UCP_DSP_IDMA_COPY_FAIL, -700004}, {HB_UCP_DSP_IDMA_BAD_INIT, -700005},
              {HB_UCP_DSP_MMAP_FAIL, -700006}, {HB_UCP_DSP_INVALID_SCALE, -700007},
              {HB_UCP_DSP_UNMAP_FAIL, -700008}, {HB_UCP_DSP_OFFLINE, -700009});
  CHECK_CODES("-800001 to -800006: codec", {HB_UCP_CODEC_OPERATION_NOT_ALLOWED, -800001},
              {HB_UCP_CODEC_INSUFFICIENT_RES, -800002}, {HB_UCP_CODEC_NO_FREE_INSTANCE, -800003},
              {HB_UCP_CODEC_INVALID_INSTANCE, -800004}, {HB_UCP_CODEC_BUFFER_WAIT_TIMEOUT, -800005},
              {HB_UCP_CODEC_IS_INUSE, -800006});
  CHECK_CODES("-900001 and -900002: ISP", {HB_UCP_ISP_NO_AVAILABLE_SLOT, -900001},
              {HB_UCP_ISP_CTX_INUSE, -900002});
  ROW("4", "the names of hbDNN are aliases of the same codes") {
    EXPECT_EQ(HB_DNN_SUCCESS, 0);
    EXPECT_EQ(HB_DNN_INVALID_ARGUMENT, -100001);
    EXPECT_EQ(HB_DNN_INVALID_PACKED_DNN_HANDLE, -100001);
    EXPECT_EQ(HB_DNN_INVALID_DNN_HANDLE, -100001);
    EXPECT_EQ(HB_DNN_API_USE_ERROR, -100002);
    EXPECT_EQ(HB_DNN_TIMEOUT, -200002);
    EXPECT_EQ(HB_DNN_RUN_TASK_FAILED, -200003);
    EXPECT_EQ(HB_DNN_INVALID_TASK_HANDLE, -200004);
    EXPECT_EQ(HB_DNN_OUT_OF_MEMORY, -400001);
    EXPECT_EQ(HB_DNN_CAN_NOT_OPEN_FILE, -500001);
    EXPECT_EQ(HB_DNN_MODEL_NUMBER_EXCEED_LIMIT, -600001);
    EXPECT_EQ(HB_DNN_INVALID_MODEL, -600002);
    EXPECT_EQ(HB_DNN_MODEL_IS_RUNNING, -600003);
    EXPECT_EQ(HB_DNN_INCOMPATIBLE_MODEL, -600004);
  }
  ROW("4", "both libraries have the same texts") {
    static const int32_t kCodes[] = {0, -100001, -200002, -400001, -600004, -900002, -999999};
    for (size_t i = 0; i < COUNT_OF(kCodes); ++i) {
      EXPECT(hbDNNGetErrorDesc(kCodes[i]) != NULL);
      EXPECT(strcmp(hbDNNGetErrorDesc(kCodes[i]), hbUCPGetErrorDesc(kCodes[i])) == 0);
    }
  }
  ROW("4", "an unknown code has a fixed text, never a null pointer") {
    EXPECT(hbUCPGetErrorDesc(12345) != NULL);
    EXPECT(strcmp(hbUCPGetErrorDesc(12345), hbUCPGetErrorDesc(-54321)) == 0);
    EXPECT(hbUCPGetErrorDesc(INT32_MIN) != NULL && hbUCPGetErrorDesc(INT32_MAX) != NULL);
  }
  ROW("4", "texts are static: the same address for the same code") {
    EXPECT(hbUCPGetErrorDesc(-200002) == hbUCPGetErrorDesc(-200002));
  }
  not_observable("4", "-6000131", "of hb_sys.h, whose functions the libraries do not export");
  not_observable("4", "situations of the codes for operators, DSP, codec and ISP",
                 "the simulator has no such hardware; HBM_SIM_FAULTS can return any code");
}
