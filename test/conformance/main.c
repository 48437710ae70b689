/* SPDX-License-Identifier: Apache-2.0
 * The conformance suite's main program: each section in a process of its own, then the sums. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

enum { MAX_SETTINGS = 4, SECTION_LIMIT_S = 100 };

/* A section and what its process has in its environment, which the libraries read only once. */
typedef struct Section {
  const char* name;
  void (*check)(void);
  const char* settings[MAX_SETTINGS]; /* NAME=VALUE */
} Section;

static const Section kSections[] = {
    {"loading", check_loading, {0}},
    {"models", check_models, {0}},
    {"model_files", check_model_files, {0}},
    {"tensor_metadata", check_tensor_metadata, {0}},
    {"memory", check_memory, {0}},
    {"memory_small", check_memory_rules, {"HBM_SIM_MEMORY_MB=16"}},
    {"tasks", check_tasks, {0}},
    {"structs", check_structs, {0}},
    {"constants", check_constants, {0}},
    {"statuses", check_statuses, {0}},
    {"layouts", check_layouts, {0}},
    {"layouts_S100", check_layouts_of_chip, {"HBM_SIM_SOC=S100"}},
    {"layouts_S100P", check_layouts_of_chip, {"HBM_SIM_SOC=S100P"}},
    {"layouts_S600", check_layouts_of_chip, {"HBM_SIM_SOC=S600"}},
    {"data_types", check_data_types, {0}},
    {"quantization", check_quantization, {0}},
    {"task_life", check_task_life, {0}},
    {"task_limit", check_task_limit, {"HBM_CONFORMANCE_TASK_LIMIT=32"}},
    {"task_limit_5", check_task_limit, {"HB_UCP_MAX_TASK_NUM=5", "HBM_CONFORMANCE_TASK_LIMIT=5"}},
    {"task_limit_bad",
     check_task_limit,
     {"HB_UCP_MAX_TASK_NUM=many", "HBM_CONFORMANCE_TASK_LIMIT=32"}},
    {"task_limit_half_bad",
     check_task_limit,
     {"HB_UCP_MAX_TASK_NUM=64x", "HBM_CONFORMANCE_TASK_LIMIT=32"}},
    {"callbacks", check_callbacks, {0}},
    {"queue", check_queue, {0}},
    {"preemption", check_preemption, {0}},
    {"preemption_l2m", check_preemption_with_l2m, {"HB_DNN_USER_DEFINED_L2M_SIZES=6:6:6:6"}},
    {"core_masks", check_core_masks, {0}},
    {"multi_core", check_multi_core, {0}},
    {"chip_S100", check_chip, {"HBM_SIM_SOC=S100"}},
    {"chip_S100P", check_chip, {"HBM_SIM_SOC=S100P"}},
    {"chip_S600", check_chip, {"HBM_SIM_SOC=S600"}},
    {"threads", check_threads, {0}},
    {"names", check_names, {0}},
    {"other_abi", check_other_abi, {0}},
    {"environment", check_environment, {0}},
};

static int checked = 0;
static int failed = 0;
static int unseen = 0;
static FILE* junit = NULL;

static void write_escaped(const char* text) {
  for (; *text != '\0'; ++text) {
    switch (*text) {
      case '&':
        fputs("&amp;", junit);
        break;
      case '<':
        fputs("&lt;", junit);
        break;
      case '>':
        fputs("&gt;", junit);
        break;
      case '"':
        fputs("&quot;", junit);
        break;
      case '\n':
        fputs("&#10;", junit);
        break;
      default:
        fputc(*text, junit);
    }
  }
}

/* One row for the JUnit file; `why` is null for a good one. */
static void write_case(const char* section, const char* row, const char* why) {
  if (junit == NULL) return;
  fputs("  <testcase classname=\"", junit);
  write_escaped(section);
  fputs("\" name=\"", junit);
  write_escaped(row);
  if (why == NULL) {
    fputs("\"/>\n", junit);
    return;
  }
  fputs("\"><failure message=\"", junit);
  write_escaped(why);
  fputs("\"/></testcase>\n", junit);
}

static bool write_results(const char* path, const char* cases) {
  FILE* file = fopen(path, "w");
  bool good = file != NULL;
  if (good) {
    good = fprintf(file,
                   "<testsuite name=\"conformance\" tests=\"%d\" failures=\"%d\" errors=\"0\""
                   " skipped=\"0\">\n%s</testsuite>\n",
                   checked, failed, cases) > 0;
    good = fclose(file) == 0 && good;
  }
  if (!good) fprintf(stderr, "conformance: cannot write %s: %s\n", path, strerror(errno));
  return good;
}

static bool begins_with(const char* line, const char* word) {
  return strncmp(line, word, strlen(word)) == 0;
}

static void set_environment(const Section* section) {
  static const char* const kOwn[] = {"HBM_SIM_SOC",         "HBM_SIM_CORES",
                                     "HBM_SIM_FAULTS",      "HBM_SIM_MEMORY_MB",
                                     "HB_UCP_MAX_TASK_NUM", "HB_DNN_USER_DEFINED_L2M_SIZES"};
  for (size_t i = 0; i < COUNT_OF(kOwn); ++i) unsetenv(kOwn[i]);
  if (getenv("HB_UCP_LOG_LEVEL") == NULL) setenv("HB_UCP_LOG_LEVEL", "6", 1); /* never */
  for (size_t i = 0; i < MAX_SETTINGS && section->settings[i] != NULL; ++i) {
    char name[64];
    const char* value = strchr(section->settings[i], '=');
    snprintf(name, sizeof(name), "%.*s", (int)(value - section->settings[i]), section->settings[i]);
    setenv(name, value + 1, 1);
  }
}

/* Starts the section in a process of its own; returns the end of the pipe that it prints to. */
static FILE* start(const Section* section, pid_t* child) {
  int ends[2];
  if (pipe(ends) != 0) return NULL;
  fflush(stdout);
  *child = fork();
  if (*child == 0) {
    set_environment(section);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    /* A new image: nothing of the libraries is older than the environment. */
    execl("/proc/self/exe", "conformance", "--section", section->name, (char*)NULL);
    _exit(127);
  }
  close(ends[1]);
  return *child > 0 ? fdopen(ends[0], "r") : NULL;
}

static void run(const Section* section) {
  printf("== %s", section->name);
  for (size_t i = 0; i < MAX_SETTINGS && section->settings[i] != NULL; ++i) {
    printf(" %s", section->settings[i]);
  }
  printf("\n");
  pid_t child = 0;
  FILE* lines = start(section, &child);
  if (lines == NULL) {
    printf("FAIL  the section cannot be started: %s\n", strerror(errno));
    ++failed;
    return;
  }
  char line[1024];
  char open_row[1024] = "before its first row";
  char failed_row[1024] = "";
  char why[4096] = "";
  bool in_row = true; /* also before the first */
  while (fgets(line, sizeof(line), lines) != NULL) {
    if (failed_row[0] != '\0' && !begins_with(line, "        ")) {
      write_case(section->name, failed_row, why);
      failed_row[0] = why[0] = '\0';
    }
    if (begins_with(line, "begin ")) {
      snprintf(open_row, sizeof(open_row), "%s", line + 6);
      open_row[strcspn(open_row, "\n")] = '\0';
      in_row = true;
      continue;
    }
    fputs(line, stdout);
    fflush(stdout);
    if (begins_with(line, "ok    ")) {
      ++checked;
      write_case(section->name, open_row, NULL);
      in_row = false;
    } else if (begins_with(line, "FAIL  ")) {
      ++checked;
      ++failed;
      snprintf(failed_row, sizeof(failed_row), "%s", open_row);
      in_row = false;
    } else if (begins_with(line, "n/o   ")) {
      ++unseen;
    } else if (failed_row[0] != '\0') {
      const size_t used = strlen(why);
      snprintf(why + used, sizeof(why) - used, "%s", line + 8);
    }
  }
  fclose(lines);
  if (failed_row[0] != '\0') write_case(section->name, failed_row, why);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  snprintf(why, sizeof(why), "the process of section %s ended with %s %d", section->name,
           WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  printf("FAIL  %s\n        %s\n", in_row ? open_row : "after its last row", why);
  if (in_row) ++checked;
  ++failed;
  write_case(section->name, in_row ? open_row : "after its last row", why);
}

static int run_section(const char* name) {
  for (size_t i = 0; i < COUNT_OF(kSections); ++i) {
    if (strcmp(kSections[i].name, name) == 0) {
      alarm(SECTION_LIMIT_S); /* nothing may hang */
      kSections[i].check();
      return 0;
    }
  }
  fprintf(stderr, "conformance: there is no section '%s'\n", name);
  return 2;
}

static int usage(const char* program) {
  fprintf(stderr,
          "usage: %s [--junit FILE] MODELS [SECTION...]\n"
          "MODELS is the folder that make_models.py wrote. Sections:\n",
          program);
  for (size_t i = 0; i < COUNT_OF(kSections); ++i) fprintf(stderr, "  %s\n", kSections[i].name);
  return 2;
}

static bool wanted(const char* name, char** chosen, int count) {
  for (int i = 0; i < count; ++i) {
    if (strcmp(chosen[i], name) == 0) return true;
  }
  return count == 0;
}

/* For s59_environment.c, which looks at what a process logs that cannot load a file. */
static int load_in_vain(const char* path) {
  hbDNNPackedHandle_t packed = NULL;
  return hbDNNInitializeFromFiles(&packed, &path, 1) == HB_UCP_MODEL_INVALID ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "--section") == 0) return run_section(argv[2]);
  if (argc == 3 && strcmp(argv[1], "--load") == 0) return load_in_vain(argv[2]);
  int next = 1;
  const char* results = NULL;
  char* cases = NULL;
  size_t size = 0;
  if (argc > 2 && strcmp(argv[1], "--junit") == 0) {
    results = argv[2];
    junit = open_memstream(&cases, &size); /* the sums come before the rows */
    if (junit == NULL) return 2;
    next = 3;
  }
  if (argc <= next || argv[next][0] == '-') return usage(argv[0]);
  setenv("HBM_CONFORMANCE_MODELS", argv[next++], 1);
  for (size_t i = 0; i < COUNT_OF(kSections); ++i) {
    if (wanted(kSections[i].name, argv + next, argc - next)) run(&kSections[i]);
  }
  if (junit != NULL) {
    fclose(junit);
    const bool written = write_results(results, cases);
    free(cases);
    if (!written) return 2;
  }
  printf("%d rows cannot be observed without a board\n", unseen);
  printf("%d rows checked, %d failed\n", checked, failed);
  return checked > 0 && failed == 0 ? 0 : 1;
}
