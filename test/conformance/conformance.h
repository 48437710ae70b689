/* SPDX-License-Identifier: Apache-2.0
 * The suite's own words: rows, expectations, and helpers to load a model and run a task. */
#ifndef HBM_TEST_CONFORMANCE_H_
#define HBM_TEST_CONFORMANCE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hobot/dnn/hb_dnn.h"
#include "hobot/dnn/hb_dnn_status.h"
#include "hobot/hb_ucp.h"
#include "hobot/hb_ucp_status.h"
#include "hobot/hb_ucp_sys.h"

/* One row of the fact sheet: its section and what it says, in our own words. The block after it
 * holds the expectations; a row fails with its first broken one, and all broken ones are shown. */
#define ROW(section, text) for (bool row_ = row_begin(section, text); row_; row_ = row_end())

/* A row that no program on a machine without a board can check. */
void not_observable(const char* section, const char* text, const char* reason);

#define EXPECT(condition) expect_true((condition), #condition, __FILE__, __LINE__)
#define EXPECT_EQ(actual, expected) \
  expect_equal((int64_t)(actual), (int64_t)(expected), #actual, __FILE__, __LINE__)
#define EXPECT_OK(call) EXPECT_EQ(call, HB_UCP_SUCCESS)
/* For errors whose code the sheet leaves open. */
#define EXPECT_REFUSED(call) expect_negative((call), #call, __FILE__, __LINE__)
/* As EXPECT_OK; leaves the row (not from inside a loop of its own). */
#define REQUIRE_OK(call) \
  if (!EXPECT_OK(call)) continue
#define REQUIRE(condition) \
  if (!EXPECT(condition)) continue

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

bool row_begin(const char* section, const char* text);
bool row_end(void); /* always false: it ends ROW's loop */
bool expect_true(bool good, const char* what, const char* file, int line);
bool expect_equal(int64_t actual, int64_t expected, const char* what, const char* file, int line);
bool expect_negative(int64_t actual, const char* what, const char* file, int line);

/* The sections. Each runs in a process of its own, whose environment main.c sets. */
void check_loading(void);
void check_models(void);
void check_model_files(void);
void check_tensor_metadata(void);
void check_memory(void);
void check_tasks(void);
void check_structs(void);
void check_constants(void);
void check_statuses(void);
void check_layouts(void);
void check_layouts_of_chip(void);
void check_data_types(void);
void check_quantization(void);
void check_memory_rules(void);
void check_task_life(void);
void check_task_limit(void);
void check_callbacks(void);
void check_queue(void);
void check_preemption(void);
void check_preemption_with_l2m(void);
void check_core_masks(void);
void check_multi_core(void);
void check_chip(void);
void check_threads(void);
void check_names(void);
void check_other_abi(void);
void check_environment(void);

/* What main.c was told for this section: the chip and the limit of tasks. */

const char* model_path(const char* file); /* valid until the next call */
const char* chip(void);                   /* "S100", "S100P" or "S600" */
int expected_task_limit(void);

/* A packed handle of one file of the folder; null, and a broken expectation, if it fails. */
hbDNNPackedHandle_t load(const char* file);
hbDNNHandle_t model_of(hbDNNPackedHandle_t packed, const char* name);

enum { MAX_TENSORS = 16 };

/* A model's tensors in device memory, and at most one task on them. */
typedef struct Job {
  hbDNNHandle_t model;
  int32_t input_count;
  int32_t output_count;
  hbDNNTensor inputs[MAX_TENSORS];
  hbDNNTensor outputs[MAX_TENSORS];
  hbUCPTaskHandle_t task;
} Job;

/* Allocates as the model's properties say; `dynamic_dim` is put in for each dimension of -1, and
 * strides are filled with the chip's pitch. False, and a broken expectation, if that fails. */
bool job_open(Job* job, hbDNNHandle_t model, int32_t dynamic_dim);
int32_t job_infer(Job* job);
int32_t job_submit(const Job* job, int32_t priority, int64_t custom_id, uint64_t backend);
int32_t job_wait(const Job* job, int32_t timeout_ms);
/* infer, flush, submit on any core, wait, flush: the first status that is not 0. */
int32_t job_run(Job* job);
/* Releases the task, if there is one, and frees the memory. */
void job_release(Job* job);
void job_close(Job* job);

void* input_data(const Job* job, int32_t index);
const void* output_data(const Job* job, int32_t index);

/* Fills dynamic strides from inner to outer, each a multiple of `pitch` bytes, and the size. */
void fill_strides(hbDNNTensorProperties* properties, int64_t pitch);
/* Row pitch in bytes that the chip asks for. */
int64_t chip_pitch(void);

enum { WAIT_MS = 20000 }; /* far above anything that a good run needs */
void sleep_ms(int milliseconds);
int64_t now_ms(void);

#endif /* HBM_TEST_CONFORMANCE_H_ */
