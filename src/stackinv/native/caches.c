/* SPDX-License-Identifier: BSD-3-Clause */
#include "caches.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#if defined(_WIN32)
#include "primitives.h"
#else
#include <unistd.h>
#endif
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif
#if defined(__x86_64__)
#include "processor.h"
#endif

static const ptrdiff_t usual[] = {32 << 10, 512 << 10, 8 << 20};

#if defined(__linux__)
/* From /sys, which has the caches also where sysconf does not know them (ARM, musl). */
static ptrdiff_t ask_system(int level)
{
    ptrdiff_t found = 0;
    for (int index = 0; index < 8 && !found; index++) {
        char path[80], type[16] = "", unit = 0;
        long size = 0;
        int its_level = 0;
        static const char *const names[] = {"level", "type", "size"};
        for (int k = 0; k < 3; k++) {
            FILE *file;
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, names[k]);
            file = fopen(path, "re");
            if (!file)
                return 0;
            const int read = k == 0   ? fscanf(file, "%d", &its_level)
                             : k == 1 ? fscanf(file, "%15s", type)
                                      : fscanf(file, "%ld%c", &size, &unit);
            fclose(file);
            if (read < 1)
                return 0;
        }
        if (its_level == level && strcmp(type, "Instruction"))
            found = (ptrdiff_t)size * (unit == 'M' ? 1 << 20 : unit == 'K' ? 1 << 10 : 1);
    }
    return found;
}
#elif defined(__APPLE__)
static ptrdiff_t ask_system(int level)
{
    static const char *const names[][2] = {{"hw.perflevel0.l1dcachesize", "hw.l1dcachesize"},
                                           {"hw.perflevel0.l2cachesize", "hw.l2cachesize"},
                                           {"hw.perflevel0.l3cachesize", "hw.l3cachesize"}};
    for (int k = 0; k < 2; k++) {
        long long size = 0;
        size_t length = sizeof size;
        if (sysctlbyname(names[level - 1][k], &size, &length, NULL, 0) == 0 && size > 0)
            return (ptrdiff_t)size;
    }
    return 0;
}
#elif defined(_WIN32)
static ptrdiff_t ask_system(int level)
{
    SYSTEM_LOGICAL_PROCESSOR_INFORMATION parts[1024]; /* of the first processor is enough */
    DWORD length = sizeof parts;
    if (!GetLogicalProcessorInformation(parts, &length))
        return 0;
    for (DWORD k = 0; k < length / sizeof *parts; k++)
        if (parts[k].Relationship == RelationCache && parts[k].Cache.Level == level &&
            parts[k].Cache.Type != CacheInstruction)
            return (ptrdiff_t)parts[k].Cache.Size;
    return 0;
}
#else
static ptrdiff_t ask_system(int level)
{
    (void)level;
    return 0;
}
#endif

ptrdiff_t cache_bytes(int level)
{
    static _Atomic(ptrdiff_t) known[3]; /* threads that ask at once find the same */
    ptrdiff_t size = known[level - 1];
    if (!size) {
#if defined(_SC_LEVEL1_DCACHE_SIZE)
        static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
        size = sysconf(names[level - 1]);
#endif
        if (size <= 0)
            size = ask_system(level);
        if (size <= 0)
            size = usual[level - 1];
        known[level - 1] = size;
    }
    return size;
}

bool storing_past_caches_pays(void)
{
#if defined(__x86_64__)
    return !stackinv_is_intel();
#else
    return true;
#endif
}
