// Replaces a function of targets.bpf.c.
#include "bpf.h"

SEC("freplace/replaceable") int replacement(int number)
{
    return number + 1;
}
