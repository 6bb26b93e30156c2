; ModuleID = 'memory'

; aya-ebpf has these functions, and so has `compiler_builtins`, where they are hidden. Only the
; declarations are here: with them, they are hidden too where `compiler_builtins` is left out. The
; verifier checks a function that is not hidden without its callers, and rejects these.

declare hidden ptr @memcpy(ptr, ptr, i64)
declare hidden ptr @memmove(ptr, ptr, i64)
declare hidden ptr @memset(ptr, i32, i64)
