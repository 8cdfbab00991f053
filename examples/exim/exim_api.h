/*
 * Exim's interface for dynamically loaded functions, the part of it that this module uses, and two
 * helpers over it. Header of exim4-dev; everything in it is documented in "Adding a local scan
 * function to Exim".
 */
#ifndef EXIM_API_H
#define EXIM_API_H

#include <stdio.h>
#define DLFUNC_IMPL
#include <exim4/local_scan.h>
#include <stddef.h>

/*
 * Expands a short string such as "$sender_address".
 * Returns: "" when the expansion fails; never null. Owns: Exim, until it has handled the message.
 */
const char* exim_value(const char* expression);

/*
 * Copies the text of the message's first header line of that name, without its folds.
 * Returns: null when there is none or memory is short. Owns: the caller, who frees it.
 */
char* exim_header(const char* name);

#endif
