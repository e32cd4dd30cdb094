/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The shim without a C library, linked with the library for x86_64-unknown-none.
 *
 * So that it can be run where it is built, its "firmware" is the Linux kernel: two system calls
 * stand for a serial line and for the machine's reset. The image knows nothing else of it.
 */

#include "shim.h"

static long system_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

void shim_write(const char *bytes, size_t size)
{
    while (size > 0) {
        long written = system_call(1, 1, (long)bytes, (long)size);
        if (written <= 0) {
            return;
        }
        bytes += written;
        size -= (size_t)written;
    }
}

void shim_entry(void);

void shim_entry(void)
{
    int status = shim_main();
    for (;;) {
        system_call(60, status, 0, 0);
    }
}

__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call shim_entry\n"
        "    ud2\n");

/* The functions that a compiler expects from any environment. The library brings its own; these
 * show that nothing else is needed. */

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
    unsigned char volatile *target = to;
    const unsigned char *source = from;
    while (size-- > 0) {
        *target++ = *source++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char volatile *target = to;
    const unsigned char *source = from;
    if ((size_t)to - (size_t)from >= size) {
        return memcpy(to, from, size);
    }
    while (size-- > 0) {
        target[size] = source[size];
    }
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    unsigned char volatile *target = to;
    while (size-- > 0) {
        *target++ = (unsigned char)byte;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char volatile *x = a;
    const unsigned char volatile *y = b;
    for (; size > 0; size--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}
