/* SPDX-License-Identifier: Apache-2.0
 * Section 5.9 of the fact sheet: environment variables that a program can see work. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

/* Bytes that a failing load writes to standard error in a process with this log level. */
static size_t logged_at(const char* level) {
  int ends[2];
  if (pipe(ends) != 0) return 0;
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    if (level != NULL) {
      setenv("HB_UCP_LOG_LEVEL", level, 1);
    } else {
      unsetenv("HB_UCP_LOG_LEVEL");
    }
    execl("/proc/self/exe", "conformance", "--load", model_path("foreign.hbm"), (char*)NULL);
    _exit(127);
  }
  close(ends[1]);
  char text[256];
  size_t size = 0;
  for (ssize_t got = 0; (got = read(ends[0], text, sizeof(text))) > 0;) size += (size_t)got;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return size;
}

void check_environment(void) {
  ROW("5.9", "HB_UCP_LOG_LEVEL=6: nothing is logged") { EXPECT_EQ(logged_at("6"), 0); }
  ROW("5.9", "HB_UCP_LOG_LEVEL=0 to 4: an error is logged") {
    EXPECT(logged_at("0") > 0);
    EXPECT(logged_at("4") > 0);
  }
  ROW("5.9", "HB_UCP_LOG_LEVEL not set: an error is logged") { EXPECT(logged_at(NULL) > 0); }
  /* HB_UCP_MAX_TASK_NUM and HB_DNN_USER_DEFINED_L2M_SIZES have their rows in 5.3 and 5.5. */
  not_observable("5.9", "HB_NN_, HB_VP_, HB_HPL_LOG_LEVEL, HB_UCP_LOG_PATH and its limits",
                 "of the vendor's log; the simulator writes to standard error");
  not_observable("5.9", "HB_UCP_CUSTOM_SCHEDULE_CONFIG, relay mode, backend core number",
                 "of the board's scheduler and service");
  not_observable("5.9", "banners on start-up", "the simulator prints none");
}
