// Counts a program's allocations: LD_PRELOAD it, and when the program ends it appends two numbers, of all threads, to
// the file that COUNT_ALLOCATIONS_FILE names: how many SQLite made, and how many everybody else made. A child that
// never ends normally writes nothing.
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<unsigned long> sqlite_allocations{0};
std::atomic<unsigned long> other_allocations{0};

// dlsym may allocate before it has found malloc: this is where it gets that from. Never given back.
alignas(std::max_align_t) char early[16384];
std::atomic<std::size_t> early_used{0};

void* early_block(std::size_t size) noexcept
{
    const std::size_t rounded = (size + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
    const std::size_t at = early_used.fetch_add(rounded);
    return at + rounded <= sizeof early ? early + at : nullptr;
}

bool is_early(const void* block) noexcept
{
    const char* const p = static_cast<const char*>(block);
    return p >= early && p < early + sizeof early;
}

template<class Function>
Function next(const char* name) noexcept
{
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

using malloc_function = void* (*)(std::size_t);
using calloc_function = void* (*)(std::size_t, std::size_t);
using realloc_function = void* (*)(void*, std::size_t);
using aligned_function = void* (*)(std::size_t, std::size_t);
using posix_function = int (*)(void**, std::size_t, std::size_t);
using free_function = void (*)(void*);

struct functions
{
    malloc_function malloc = nullptr;
    calloc_function calloc = nullptr;
    realloc_function realloc = nullptr;
    aligned_function aligned_alloc = nullptr;
    posix_function posix_memalign = nullptr;
    free_function free = nullptr;
};

functions real;

// Where SQLite's code is.
struct address_range
{
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};
address_range sqlite;

int note_sqlite(dl_phdr_info* info, std::size_t, void*) noexcept
{
    if (std::strstr(info->dlpi_name, "libsqlite3") == nullptr)
        return 0;
    for (int i = 0; i != info->dlpi_phnum; ++i) {
        const auto& part = info->dlpi_phdr[i];
        if (part.p_type == PT_LOAD && (part.p_flags & PF_X) != 0)
            sqlite = {info->dlpi_addr + part.p_vaddr, info->dlpi_addr + part.p_vaddr + part.p_memsz};
    }
    return 1;
}

thread_local bool looking = false;

// The first call comes before any thread but the first exists.
bool ready() noexcept
{
    if (real.free != nullptr)
        return true;
    if (looking)
        return false;
    looking = true;
    functions found;
    found.malloc = next<malloc_function>("malloc");
    found.calloc = next<calloc_function>("calloc");
    found.realloc = next<realloc_function>("realloc");
    found.aligned_alloc = next<aligned_function>("aligned_alloc");
    found.posix_memalign = next<posix_function>("posix_memalign");
    found.free = next<free_function>("free");
    real = found;
    dl_iterate_phdr(note_sqlite, nullptr);
    looking = false;
    return real.free != nullptr;
}

void count(const void* caller) noexcept
{
    const auto place = reinterpret_cast<std::uintptr_t>(caller);
    auto& counter = place >= sqlite.begin && place < sqlite.end ? sqlite_allocations : other_allocations;
    counter.fetch_add(1, std::memory_order_relaxed);
}

__attribute__((destructor)) void write_count()
{
    const char* const name = std::getenv("COUNT_ALLOCATIONS_FILE");
    if (name == nullptr)
        return;
    char text[64];
    const int length =
        std::snprintf(text, sizeof text, "%lu %lu\n", sqlite_allocations.load(), other_allocations.load());
    const int file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0)
        return;
    if (write(file, text, static_cast<std::size_t>(length)) != length)
        std::perror(name);
    close(file);
}

} // namespace

extern "C" {

void* malloc(std::size_t size) noexcept
{
    count(__builtin_return_address(0));
    return ready() ? real.malloc(size) : early_block(size);
}

void* calloc(std::size_t n, std::size_t size) noexcept
{
    count(__builtin_return_address(0));
    return ready() ? real.calloc(n, size) : early_block(n * size); // its memory is zero, and used once
}

void* realloc(void* block, std::size_t size) noexcept
{
    count(__builtin_return_address(0));
    if (ready() && !is_early(block))
        return real.realloc(block, size);
    return block == nullptr ? early_block(size) : nullptr;
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept
{
    count(__builtin_return_address(0));
    return ready() ? real.aligned_alloc(alignment, size) : nullptr;
}

int posix_memalign(void** into, std::size_t alignment, std::size_t size) noexcept
{
    count(__builtin_return_address(0));
    return ready() ? real.posix_memalign(into, alignment, size) : 12; // ENOMEM
}

void free(void* block) noexcept
{
    if (!is_early(block) && ready())
        real.free(block);
}
}
