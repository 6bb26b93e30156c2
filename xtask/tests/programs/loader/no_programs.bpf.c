// A map, and a function for programs of other files.
#include "bpf.h"

struct {
    __uint(type, ARRAY);
    __uint(max_entries, 1);
    __type(key, int);
    __type(value, long);
} counts SEC(".maps");

int increment(int number)
{
    return number + 1;
}
