/* SPDX-License-Identifier: Apache-2.0
 * Rows and expectations: one line of output per row, and a line per broken expectation. */
#include "conformance.h"

/* main.c reads these lines; see its parse(). */
static const char* row_section = NULL;
static const char* row_text = NULL;
static char broken[4096];

bool row_begin(const char* section, const char* text) {
  row_section = section;
  row_text = text;
  broken[0] = '\0';
  /* Printed first, so that a crash or a hang can be told by its row. */
  printf("begin %-6s %s\n", section, text);
  fflush(stdout);
  return true;
}

bool row_end(void) {
  printf("%s %-6s %s\n", broken[0] == '\0' ? "ok   " : "FAIL ", row_section, row_text);
  fputs(broken, stdout);
  fflush(stdout);
  row_section = NULL;
  return false;
}

void not_observable(const char* section, const char* text, const char* reason) {
  printf("n/o   %-6s %s: not observable: %s\n", section, text, reason);
  fflush(stdout);
}

static void add_broken(const char* line) {
  if (row_section == NULL) { /* set-up between the rows */
    printf("FAIL  %-6s between the rows\n%s", "", line);
    fflush(stdout);
    return;
  }
  const size_t used = strlen(broken);
  snprintf(broken + used, sizeof(broken) - used, "%s", line);
}

static const char* base_name(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

bool expect_true(bool good, const char* what, const char* file, int line) {
  if (!good) {
    char text[512];
    snprintf(text, sizeof(text), "        %s:%d: %s does not hold\n", base_name(file), line, what);
    add_broken(text);
  }
  return good;
}

bool expect_equal(int64_t actual, int64_t expected, const char* what, const char* file, int line) {
  if (actual != expected) {
    char text[512];
    snprintf(text, sizeof(text), "        %s:%d: %s is %lld, expected %lld\n", base_name(file),
             line, what, (long long)actual, (long long)expected);
    add_broken(text);
  }
  return actual == expected;
}

bool expect_negative(int64_t actual, const char* what, const char* file, int line) {
  if (actual >= 0) {
    char text[512];
    snprintf(text, sizeof(text), "        %s:%d: %s is %lld, expected an error\n", base_name(file),
             line, what, (long long)actual);
    add_broken(text);
  }
  return actual < 0;
}
