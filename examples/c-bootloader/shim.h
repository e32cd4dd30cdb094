/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* What the shim needs from the program around it, and what it offers. */

#ifndef SHIM_H
#define SHIM_H

#include <stddef.h>

/* Prints bytes. Given by the program: stdio, a serial line, a system call. */
void shim_write(const char *bytes, size_t size);

/* Runs the whole story. Returns 0 if everything went as it should. */
int shim_main(void);

#endif
