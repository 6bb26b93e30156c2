//! Which class of errors a rejection belongs to.
//!
//! The tables in `grammar` name a class for each message. That is where most classes are decided;
//! here it is decided what the tables cannot say: which of several causes a message has, and what
//! a rejection without a known message is about.

use crate::classes::Class;
use crate::grammar::words::{find_number_after, parse_leading_number};

/// The class of a message of which the table says `listed`: where a message has several causes,
/// its numbers and names tell which.
pub fn decide_class(listed: Class, message: &str, in_global_function: bool) -> Class {
    let says = |text: &str| message.contains(text);
    match listed {
        Class::MapValueBounds | Class::MemBounds | Class::PacketBounds if says(" size=0") => {
            Class::HelperSizeZero
        }
        Class::StackBounds | Class::UninitStack => decide_stack_class(listed, message),
        Class::ScalarDeref => decide_deref_class(message, in_global_function),
        Class::HelperArgType if says("expected=trusted_ptr_") || says("expected=rcu_ptr_") => {
            Class::RcuOrTrusted
        }
        Class::HelperNotAllowed => decide_missing_function_class(message),
        Class::ResourceLimits if is_within_limit(message) => Class::ComplexityInsns,
        Class::KfuncMissing if says("__bpf_trap") => Class::BpfTrapAndPointerMerge,
        Class::CtxModified if !says("ctx") => Class::ModifiedPointer,
        _ => listed,
    }
}

/// Within the 512 bytes of the stack, only what was never written cannot be read.
fn decide_stack_class(listed: Class, message: &str) -> Class {
    const STACK: i64 = 512;
    let after = |name: &str| find_number_after(message, name);
    let offset = after("off=");
    // `invalid stack type R3 off=-48 access_size=0`
    let size = after("size=").or_else(|| after("access_size="));
    let (Some(offset), Some(size)) = (offset, size) else {
        return listed;
    };
    if size == 0 {
        Class::HelperSizeZero
    } else if offset >= -STACK && offset.saturating_add(size) <= 0 {
        Class::UninitStack
    } else {
        Class::StackBounds
    }
}

/// `R1 invalid mem access 'map_value_or_null'`: the name in quotation marks says what the register
/// holds instead of a pointer to memory.
fn decide_deref_class(message: &str, in_global_function: bool) -> Class {
    // Web pages and wrapped lines put blanks into the quotation marks.
    match message.split('\'').nth(1).unwrap_or_default().trim() {
        "mem_or_null" if in_global_function => Class::GlobalFuncArg,
        kind if kind.contains("or_null") => Class::MapValueOrNull,
        "inv" | "invP" | "scalar" | "imm" | "unknown" | "UNKNOWN" | "" => Class::ScalarDeref,
        _ => Class::PointerDeref,
    }
}

/// `Program too large (3999 insns), at most 4096 insns`: bcc says so of every E2BIG. It was not the
/// number of instructions then, but how many the verifier went through.
fn is_within_limit(message: &str) -> bool {
    let insns = find_number_after(message, "too large (");
    let limit = find_number_after(message, "at most ");
    insns.is_some() && insns < limit
}

/// Loaders mark what they could not find with numbers that no helper has.
fn decide_missing_function_class(message: &str) -> Class {
    let last = message.rsplit(['#', ' ']).next();
    match last.and_then(parse_leading_number) {
        Some(195_896_080) => Class::CoreRelo,
        // cilium/ebpf's, 0xdedc0de.
        Some(233_685_214) => Class::KfuncMissing,
        Some(2_001_000_000..=2_001_999_999) => Class::MissingMap,
        Some(2_002_000_000..=2_002_999_999) => Class::KfuncMissing,
        _ if is_about_kernel_memory(message) => Class::Lockdown,
        _ => Class::HelperNotAllowed,
    }
}

/// The helpers that all types of programs may call since Linux 5.8, and that a locked-down kernel
/// takes away. An older kernel that does not know them says `invalid func`.
fn is_about_kernel_memory(message: &str) -> bool {
    message.contains("bpf_probe_read_kernel") && !message.starts_with("invalid func")
}

/// The class of a log that shows no rejection, by the error of the system call.
///
/// `processed`: how many instructions the log says that the verifier went through; `insns`: how
/// many it shows.
pub fn decide_class_of_errno(errno: i32, processed: Option<u64>, insns: u64) -> Option<Class> {
    const EPERM: i32 = 1;
    const E2BIG: i32 = 7;
    const EACCES: i32 = 13;
    const EINVAL: i32 = 22;
    const ENOSPC: i32 = 28;
    const EOPNOTSUPP: i32 = 95;
    const ENOTSUPP: i32 = 524;
    match errno {
        ENOTSUPP | EOPNOTSUPP => Some(Class::JitUnsupported),
        ENOSPC => Some(Class::LogTruncated),
        E2BIG if processed == Some(0) => Some(Class::ResourceLimits),
        // The log has no end. Too many maps or instructions end a load before the first step.
        E2BIG if processed.is_none() && insns > 0 => Some(Class::ComplexityInsns),
        EINVAL | E2BIG if processed.is_some() => Some(Class::CleanLogError),
        // After its first step the verifier never says EACCES without a message: that one is lost.
        EACCES if processed == Some(0) => Some(Class::CleanLogError),
        EPERM if insns == 0 => Some(Class::NoPermission),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::table::MessageTable;
    use alloc::format;

    /// The class of a message in a log, outside of global functions.
    fn class_of(message: &str) -> Class {
        let found = MessageTable::get_table().all_in(message);
        decide_class(found[0].template.class.unwrap(), message, false)
    }

    #[test]
    fn an_access_of_no_bytes_is_about_its_length() {
        for message in [
            "invalid access to map value, value_size=16 off=0 size=0",
            "invalid access to memory, mem_size=8 off=8 size=0",
            "invalid access to packet, off=14 size=0, R1(id=0,off=14,r=14)",
            "invalid indirect access to stack R2 off=-8 size=0",
            "invalid indirect access to stack R2 off=-520 size=0",
        ] {
            assert_eq!(class_of(message), Class::HelperSizeZero, "{message}");
        }
        for (message, class) in [
            (
                "invalid access to map value, value_size=16 off=16 size=4",
                Class::MapValueBounds,
            ),
            (
                "invalid access to memory, mem_size=8 off=8 size=1",
                Class::MemBounds,
            ),
            (
                "invalid access to packet, off=14 size=20, R1(id=0,off=14,r=14)",
                Class::PacketBounds,
            ),
        ] {
            assert_eq!(class_of(message), class, "{message}");
        }
    }

    #[test]
    fn where_the_stack_ends_decides() {
        for (message, class) in [
            (
                "invalid read from stack R10 off=-32 size=8",
                Class::UninitStack,
            ),
            (
                "invalid read from stack R10 off=-512 size=8",
                Class::UninitStack,
            ),
            (
                "invalid read from stack R10 off=-8 size=8",
                Class::UninitStack,
            ),
            (
                "invalid read from stack R10 off=-513 size=1",
                Class::StackBounds,
            ),
            (
                "invalid read from stack R10 off=-4 size=8",
                Class::StackBounds,
            ),
            (
                "invalid read from stack R10 off=8 size=8",
                Class::StackBounds,
            ),
            (
                "invalid write to stack R10 off=-520 size=8",
                Class::StackBounds,
            ),
            (
                "invalid read from stack off -8+0 size 8",
                Class::UninitStack,
            ),
            (
                "invalid read from stack R10 off=9223372036854775807 size=9223372036854775807",
                Class::StackBounds,
            ),
        ] {
            assert_eq!(class_of(message), class, "{message}");
        }
    }

    #[test]
    fn what_was_dereferenced_decides() {
        for (kind, class) in [
            ("inv", Class::ScalarDeref),
            ("scalar", Class::ScalarDeref),
            ("imm", Class::ScalarDeref),
            ("rcu_ptr_or_null_", Class::MapValueOrNull),
            ("mem_or_null", Class::MapValueOrNull),
            ("map_ptr", Class::PointerDeref),
            ("pkt_end", Class::PointerDeref),
        ] {
            let message = format!("R1 invalid mem access '{kind}'");
            assert_eq!(class_of(&message), class, "{message}");
        }
        let argument = "R1 invalid mem access 'mem_or_null'";
        let in_function = decide_class(Class::ScalarDeref, argument, true);
        assert_eq!(in_function, Class::GlobalFuncArg);
        let number = decide_class(Class::ScalarDeref, "R1 invalid mem access 'scalar'", true);
        assert_eq!(number, Class::ScalarDeref);
    }

    #[test]
    fn numbers_of_libbpf_are_no_helpers() {
        for (message, class) in [
            ("invalid func unknown#195896080", Class::CoreRelo),
            ("invalid func unknown#2002000001", Class::KfuncMissing),
            ("invalid func unknown#2002999999", Class::KfuncMissing),
            ("invalid func 2001000000", Class::MissingMap),
            ("invalid func unknown#233685214", Class::KfuncMissing),
            ("invalid func unknown#211", Class::HelperNotAllowed),
            ("invalid func unknown#2003000000", Class::HelperNotAllowed),
            (
                "helper call is not allowed in probe",
                Class::HelperNotAllowed,
            ),
        ] {
            assert_eq!(class_of(message), class, "{message}");
        }
    }

    #[test]
    fn bcc_says_too_large_of_other_limits_too() {
        for (message, class) in [
            (
                "Program too large (3999 insns), at most 4096 insns",
                Class::ComplexityInsns,
            ),
            (
                "Program too large (4097 insns), at most 4096 insns",
                Class::ResourceLimits,
            ),
            ("too many subprograms", Class::ResourceLimits),
        ] {
            assert_eq!(class_of(message), class, "{message}");
        }
    }

    #[test]
    fn all_programs_may_read_kernel_memory_unless_it_is_locked() {
        for (message, class) in [
            ("unknown func bpf_probe_read_kernel#113", Class::Lockdown),
            (
                "program of this type cannot use helper bpf_probe_read_kernel_str#115",
                Class::Lockdown,
            ),
            (
                "unknown func bpf_probe_read_user#112",
                Class::HelperNotAllowed,
            ),
            ("unknown func bpf_probe_read#4", Class::HelperNotAllowed),
            (
                "invalid func bpf_probe_read_kernel#113",
                Class::HelperNotAllowed,
            ),
        ] {
            assert_eq!(class_of(message), class, "{message}");
        }
    }

    #[test]
    fn names_in_a_message_decide() {
        for (message, class) in [
            ("R1 type=scalar expected=trusted_ptr_", Class::RcuOrTrusted),
            ("R1 type=ptr_ expected=rcu_ptr_", Class::RcuOrTrusted),
            ("R1 type=scalar expected=map_ptr", Class::HelperArgType),
            (
                "dereference of modified ctx ptr R2 off=96 disallowed",
                Class::CtxModified,
            ),
            (
                "dereference of modified ptr_ ptr R1 off=8 disallowed",
                Class::ModifiedPointer,
            ),
            (
                "At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]",
                Class::ReturnRange,
            ),
            (
                "At callback return the register R0 has smin=5 smax=5 should have been in [0, 1]",
                Class::Callbacks,
            ),
            (
                "tail_call cannot be used inside bpf_spin_lock-ed region",
                Class::TailCallRules,
            ),
            (
                "BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region",
                Class::LockRules,
            ),
            (
                "BPF_LD_[ABS|IND] cannot be used inside bpf_rcu_read_lock-ed region",
                Class::LdAbs,
            ),
            (
                "helper call might sleep in a non-sleepable prog",
                Class::SleepableContext,
            ),
        ] {
            assert_eq!(class_of(message), class, "{message}");
        }
        let trap = "kfunc '__bpf_trap' is referenced but wasn't resolved";
        assert_eq!(class_of(trap), Class::BpfTrapAndPointerMerge);
        let kfunc = "kfunc 'bpf_x' is referenced but wasn't resolved";
        assert_eq!(class_of(kfunc), Class::KfuncMissing);
    }

    #[test]
    fn the_error_of_the_system_call_decides_last() {
        for (errno, processed, insns, class) in [
            (524, Some(9), 9, Some(Class::JitUnsupported)),
            (95, None, 0, Some(Class::JitUnsupported)),
            (28, None, 5, Some(Class::LogTruncated)),
            (7, Some(0), 0, Some(Class::ResourceLimits)),
            (7, Some(9), 9, Some(Class::CleanLogError)),
            (22, Some(9), 9, Some(Class::CleanLogError)),
            (13, Some(0), 0, Some(Class::CleanLogError)),
            (1, None, 0, Some(Class::NoPermission)),
            (1, Some(0), 0, Some(Class::NoPermission)),
            (1, Some(9), 9, None),
            (7, None, 9, Some(Class::ComplexityInsns)),
            (7, None, 0, None),
            (13, Some(9), 9, None),
            (22, None, 9, None),
            (2, Some(9), 9, None),
        ] {
            let decided = decide_class_of_errno(errno, processed, insns);
            assert_eq!(decided, class, "{errno} {processed:?} {insns}");
        }
    }
}
