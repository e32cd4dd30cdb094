/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* The shim as an ordinary program. */

#include "shim.h"

#include <stdio.h>

void shim_write(const char *bytes, size_t size)
{
    fwrite(bytes, 1, size, stdout);
}

int main(void)
{
    return shim_main();
}
