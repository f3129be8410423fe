/*
 * platform/linux/os_vdso.h - functions of the kernel's that run without a system call.
 *
 * Layer: platform, for the files of this folder. Thread rule: any thread; reads memory that never changes.
 */
#ifndef HAK_PLATFORM_LINUX_OS_VDSO_H
#define HAK_PLATFORM_LINUX_OS_VDSO_H

#include "base/base.h"

/* The address of a function in the ELF image at `image`, the vDSO that AT_SYSINFO_EHDR tells (vdso(7)). 0: the image
 * has none of that name, or `image` is 0. */
uintptr_t os_vdso_find(uintptr_t image, const char *name);

#endif
