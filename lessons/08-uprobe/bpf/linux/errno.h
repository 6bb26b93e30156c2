/* What bpf/usdt.bpf.h needs of linux/errno.h. The whole file includes asm/errno.h, which Debian and
 * others keep in a directory that clang does not search when it compiles for BPF.
 */
#define ENOENT 2
#define ESRCH 3
#define EINVAL 22
