// A function of a module.
#include "bpf.h"

SEC("fentry/dummy:dummy_xmit") int transmit(void *ctx)
{
    return 0;
}
