/* Programs that do nothing: what counts is where they are attached. */

#define SEC(name) __attribute__((section(name), used))
#define JOIN(one, other) one##other
#define NAME(number) JOIN(program_, number)
#define PROGRAM(section) SEC(section) int NAME(__COUNTER__)(void *ctx) { return 0; }
/* The verifier wants these to answer 1. */
#define ALLOWS(section) SEC(section) int NAME(__COUNTER__)(void *ctx) { return 1; }
/* While one of these is attached, nobody may do what it is asked about. */
#define DENIES(section) SEC(section) int NAME(__COUNTER__)(void *ctx) { return -1; }

SEC("license") char licence[] = "GPL";
