/* SPDX-License-Identifier: Apache-2.0
 * Section 0 of the fact sheet: libraries, SONAMEs, exported functions, symbol versions. */
#define _GNU_SOURCE /* dlinfo, dlvsym */
#include <dlfcn.h>
#include <link.h>

#include "conformance.h"

static const char* const kUcpFunctions[] = {
    "hbUCPGetVersion",  "hbUCPGetSocName",    "hbUCPMalloc",      "hbUCPMallocCached",
    "hbUCPMemFlush",    "hbUCPFree",          "hbUCPSubmitTask",  "hbUCPWaitTaskDone",
    "hbUCPReleaseTask", "hbUCPSetTaskDoneCb", "hbUCPGetErrorDesc"};

static const char* const kDnnFunctions[] = {"hbDNNGetVersion",
                                            "hbDNNGetErrorDesc",
                                            "hbDNNInitializeFromFiles",
                                            "hbDNNInitializeFromDDR",
                                            "hbDNNRelease",
                                            "hbDNNGetModelNameList",
                                            "hbDNNGetModelHandle",
                                            "hbDNNGetModelDesc",
                                            "hbDNNGetHBMDesc",
                                            "hbDNNGetCompileBpuCoreNum",
                                            "hbDNNGetInputCount",
                                            "hbDNNGetInputName",
                                            "hbDNNGetInputTensorProperties",
                                            "hbDNNGetInputDesc",
                                            "hbDNNGetOutputCount",
                                            "hbDNNGetOutputName",
                                            "hbDNNGetOutputTensorProperties",
                                            "hbDNNGetOutputDesc",
                                            "hbDNNInferV2",
                                            "hbDNNGetTaskOutputTensorProperties"};

/* What the loaded library calls itself: DT_SONAME of its dynamic section. */
static const char* soname_of(void* library) {
  struct link_map* map = NULL;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return "";
  const char* strings = NULL;
  for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_STRTAB) strings = (const char*)entry->d_un.d_ptr;
  }
  for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_SONAME && strings != NULL) return strings + entry->d_un.d_val;
  }
  return "";
}

static void expect_functions(void* library, const char* const* names, size_t count, size_t listed) {
  EXPECT_EQ(count, listed);
  for (size_t i = 0; i < count; ++i) {
    if (dlsym(library, names[i]) == NULL) printf("# %s is missing\n", names[i]);
    EXPECT(dlsym(library, names[i]) != NULL);
    EXPECT(dlvsym(library, names[i], "CONFIG") != NULL);
    EXPECT(dlvsym(library, names[i], "CONFIG") == dlsym(library, names[i]));
  }
}

void check_loading(void) {
  void* dnn = dlopen("libdnn.so", RTLD_NOW | RTLD_LOCAL);
  void* ucp = dlopen("libhbucp.so", RTLD_NOW | RTLD_LOCAL);
  ROW("0", "the libraries open by their plain names with RTLD_NOW and RTLD_LOCAL") {
    EXPECT(dnn != NULL);
    EXPECT(ucp != NULL);
  }
  if (dnn == NULL || ucp == NULL) return;
  ROW("0", "the SONAMEs are libdnn.so and libhbucp.so, without a number") {
    EXPECT(strcmp(soname_of(dnn), "libdnn.so") == 0);
    EXPECT(strcmp(soname_of(ucp), "libhbucp.so") == 0);
  }
  ROW("0", "this program's own links are to the same two libraries") {
    EXPECT(dlsym(dnn, "hbDNNGetVersion") == dlsym(RTLD_DEFAULT, "hbDNNGetVersion"));
    EXPECT(dlsym(ucp, "hbUCPGetVersion") == dlsym(RTLD_DEFAULT, "hbUCPGetVersion"));
  }
  ROW("0", "libdnn.so has its 20 functions, each with the version CONFIG as its default") {
    expect_functions(dnn, kDnnFunctions, COUNT_OF(kDnnFunctions), 20);
  }
  ROW("0", "libhbucp.so has its 11 functions, each with the version CONFIG as its default") {
    expect_functions(ucp, kUcpFunctions, COUNT_OF(kUcpFunctions), 11);
  }
  ROW("0", "no function has another version") {
    EXPECT(dlvsym(dnn, "hbDNNInferV2", "CONFIG_2") == NULL);
    EXPECT(dlvsym(ucp, "hbUCPSubmitTask", "BASE") == NULL);
  }
  ROW("0", "the functions of newer libraries are absent, and asking for them harms nothing") {
    EXPECT(dlsym(dnn, "hbDNNInferV3") == NULL);
    EXPECT(dlsym(dnn, "hbDNNNotifyTask") == NULL);
  }
  not_observable("0", "libraries that libdnn.so needs on a board (hbrt4, hbmem, ...)",
                 "they drive the chip; the simulator needs none of them");
  not_observable("0", "C++ symbols between the vendor's two libraries",
                 "internal to them; ours have the private version HBM_SIM_PRIVATE instead");
  not_observable("0", "folder /usr/hobot/lib and the package hobot-dnn", "they are a board's");
  not_observable("0", "what the original binding opens before it starts",
                 "it is Python; test/binding covers ours");
  not_observable("0", "exports of the vendor's x86 libraries", "nobody has published them");
  EXPECT(dlclose(dnn) == 0 && dlclose(ucp) == 0);
}
