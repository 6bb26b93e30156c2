// The test puts a space into the name of a type.
#include "bpf.h"

struct bad_name {
    int field;
};

SEC("xdp") int pass(struct bad_name *ctx)
{
    return 2;
}
