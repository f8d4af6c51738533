/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory in pages, some of which must not be touched. */
#ifndef STACKINV_TESTS_PAGES_H
#define STACKINV_TESTS_PAGES_H

#include <stddef.h>
#include <stdlib.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

static size_t page_bytes(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

/* Pages that must not be touched yet. */
static char *take_pages(size_t bytes)
{
    char *pages = VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_NOACCESS);
    if (!pages)
        abort();
    return pages;
}

static void open_pages(char *pages, size_t bytes)
{
    DWORD before;
    if (!VirtualProtect(pages, bytes, PAGE_READWRITE, &before))
        abort();
}

static void give_pages(char *pages, size_t bytes)
{
    (void)bytes;
    VirtualFree(pages, 0, MEM_RELEASE);
}

static inline void *take_aligned(size_t alignment, size_t bytes)
{
    return _aligned_malloc(bytes, alignment);
}

static inline void give_aligned(void *memory)
{
    _aligned_free(memory);
}

#else
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Pages that must not be touched yet. */
static char *take_pages(size_t bytes)
{
    char *pages = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        abort();
    return pages;
}

static void open_pages(char *pages, size_t bytes)
{
    if (mprotect(pages, bytes, PROT_READ | PROT_WRITE))
        abort();
}

static void give_pages(char *pages, size_t bytes)
{
    munmap(pages, bytes);
}

static inline void *take_aligned(size_t alignment, size_t bytes)
{
    return aligned_alloc(alignment, bytes);
}

static inline void give_aligned(void *memory)
{
    free(memory);
}

#endif
#endif
