// The kernel's configuration.
#include "bpf.h"

extern int CONFIG_HZ __kconfig;
extern int CONFIG_NO_SUCH __kconfig __weak;

SEC("raw_tp/sys_enter") int read_config(void *ctx)
{
    return CONFIG_HZ + CONFIG_NO_SUCH;
}
