//! The class of a report of Linux 7.3, for logs whose classic line is missing or not known.
//!
//! All texts are those of the kernel's image. What a newer kernel words in another way has no
//! class.

use crate::classes::Class;
use crate::explain::diagnosis::Diagnosis;

/// The class that a report is about, by its problem, and by its reason where a problem has several.
pub fn decide_class_of_report(report: &Diagnosis) -> Option<Class> {
    let problem = report.problem.to_lowercase();
    if let Some(class) = find_rule(&PROBLEMS, &problem) {
        return Some(class);
    }
    let is = |beginning: &str| problem.starts_with(beginning);
    let reason = report.reason.to_lowercase();
    if is("invalid dereference") {
        Some(decide_dereference(report, &reason))
    } else if is("access outside bounds") {
        find_rule(&BOUNDS, &reason)
    } else if is("pointer offset is not safe") {
        find_rule(&OFFSETS, &reason)
    } else if is("invalid call argument") {
        find_rule(&ARGUMENTS, &reason)
    } else if is("operation is not allowed in this context") {
        find_rule(&CONTEXTS, &reason)
    } else if is("required context is not active") || is("unmatched context exit") {
        find_rule(&REGIONS, &reason)
    } else if is("operation is not allowed") {
        find_rule(&POLICIES, &reason)
    } else {
        None
    }
}

/// Words of a text, in small letters, and the class that they mean; the first that fits counts.
type ReportRule = (&'static str, Class);

fn find_rule(rules: &[ReportRule], text: &str) -> Option<Class> {
    let rule = rules.iter().find(|(words, _)| text.contains(words));
    rule.map(|(_, class)| *class)
}

const PROBLEMS: [ReportRule; 35] = [
    ("unreadable register", Class::UninitReg),
    ("missing stack argument", Class::StackArgs),
    (
        "pointer arithmetic before null check",
        Class::PtrArithProhibited,
    ),
    (
        "pointer arithmetic is not allowed",
        Class::PtrArithProhibited,
    ),
    ("pointer subtracted from scalar", Class::PtrArithProhibited),
    ("subtraction from stack pointer", Class::PtrArithProhibited),
    (
        "invalid pointer arithmetic operator",
        Class::PtrArithProhibited,
    ),
    ("32-bit pointer arithmetic", Class::PtrBitwiseOp),
    ("bitwise operation on pointer", Class::PtrBitwiseOp),
    ("uninitialized stack read", Class::UninitStack),
    ("variable stack access", Class::StackVarOff),
    ("stack spill corruption", Class::RegisterSpill),
    ("unreleased resource", Class::UnreleasedRef),
    ("uninitialized dynptr use", Class::Dynptr),
    ("dynptr is already initialized", Class::Dynptr),
    ("referenced dynptr overwrite", Class::Dynptr),
    ("const dynptr release", Class::Dynptr),
    ("uninitialized iterator use", Class::Iterators),
    ("iterator is already initialized", Class::Iterators),
    ("nested spin lock", Class::LockRules),
    ("recursive resource spin lock", Class::LockRules),
    ("unlock without lock", Class::LockRules),
    ("unlock of a different lock", Class::LockRules),
    ("unlock out of order", Class::LockRules),
    ("irq flag is already initialized", Class::LockRules),
    ("irq flag restore", Class::LockRules),
    ("jump table", Class::JumpTable),
    ("indirect jump", Class::JumpTable),
    ("jump out of range", Class::JumpOutOfRange),
    ("ldimm64", Class::MalformedInsn),
    ("unreachable instruction", Class::UnreachableInsn),
    ("back-edge", Class::LoopBackEdge),
    ("fall through", Class::NoExitLastInsn),
    ("recursive subprogram call", Class::CallDepthRecursion),
    ("lock state", Class::LockRules),
];

/// What holds no pointer, or one that cannot be read through.
fn decide_dereference(report: &Diagnosis, reason: &str) -> Class {
    if reason.contains("null") {
        Class::MapValueOrNull
    } else if reason.contains("scalar") {
        Class::ScalarDeref
    } else if reason.contains("original form") {
        // What the pointer is, only the line below the source says.
        let is_context = report
            .context
            .iter()
            .any(|line| line.contains("context pointer"));
        if is_context {
            Class::CtxModified
        } else {
            Class::ModifiedPointer
        }
    } else {
        Class::PointerDeref
    }
}

/// `R0 is map_value; offset is ...; access_size is 8; object_size is 512.`
const BOUNDS: [ReportRule; 18] = [
    ("access_size is 0", Class::HelperSizeZero),
    ("is a negative value", Class::HelperSizeNegative),
    ("exceeds maximum allowed offset", Class::UnboundedAccess),
    (" is map_value", Class::MapValueBounds),
    ("map value", Class::MapValueBounds),
    (" is map_key", Class::BufferBounds),
    ("map key", Class::BufferBounds),
    (" is pkt", Class::PacketBounds),
    ("packet", Class::PacketBounds),
    (" is fp", Class::StackBounds),
    ("stack", Class::StackBounds),
    (" is ctx", Class::CtxAccess),
    ("context", Class::CtxAccess),
    ("_mem", Class::MemBounds),
    (" is mem", Class::MemBounds),
    ("memory pointer", Class::MemBounds),
    ("buf", Class::BufferBounds),
    ("flow_keys", Class::BufferBounds),
];

const OFFSETS: [ReportRule; 3] = [
    ("is unbounded or outside", Class::PtrArithUnbounded),
    ("already has an offset", Class::PtrArithOutOfBounds),
    ("after this arithmetic", Class::PtrArithOutOfBounds),
];

const ARGUMENTS: [ReportRule; 23] = [
    ("may be null", Class::KfuncNullArg),
    ("nullable", Class::KfuncNullArg),
    ("accepts trusted_ptr_", Class::RcuOrTrusted),
    ("accepts rcu_ptr_", Class::RcuOrTrusted),
    ("but this argument accepts", Class::HelperArgType),
    ("require a resource-owning value", Class::ReleaseNotOwned),
    (
        "require a value that owns a live resource",
        Class::ReleaseNotOwned,
    ),
    ("trusted or resource-owning pointer", Class::RcuOrTrusted),
    ("rcu-protected pointer", Class::RcuOrTrusted),
    ("verifier-known constant", Class::ConstArg),
    ("return-buffer size", Class::ConstArg),
    ("may be negative", Class::HelperSizeNegative),
    ("must stay below", Class::HelperSizeUnbounded),
    ("constant string", Class::ConstString),
    ("irq flag", Class::LockRules),
    ("dynptr", Class::Dynptr),
    ("iterator", Class::Iterators),
    ("allocated object", Class::AllocatedObjects),
    ("refcounted object", Class::AllocatedObjects),
    ("kfunc", Class::KfuncArg),
    ("memory/length pair", Class::KfuncArg),
    ("scalar", Class::HelperArgType),
    ("pointer", Class::HelperArgType),
];

const CONTEXTS: [ReportRule; 7] = [
    ("may sleep", Class::SleepableContext),
    ("non-sleepable", Class::SleepableContext),
    ("rcu read lock region", Class::SleepableContext),
    ("non-preemptible region", Class::SleepableContext),
    ("irq-disabled region", Class::LockRules),
    ("lock region", Class::LockRules),
    ("lock", Class::LockRules),
];

const REGIONS: [ReportRule; 4] = [
    ("rcu read lock region", Class::SleepableContext),
    ("non-preemptible region", Class::SleepableContext),
    ("irq-disabled region", Class::LockRules),
    ("lock region", Class::LockRules),
];

const POLICIES: [ReportRule; 10] = [
    ("gpl-compatible", Class::Gpl),
    ("bpf_probe_read_kernel", Class::Lockdown),
    ("does not allow the helper", Class::HelperNotAllowed),
    ("helper-specific policy", Class::HelperNotAllowed),
    ("cannot call the kfunc", Class::KfuncNotAllowed),
    ("destructive kfuncs", Class::KfuncNotAllowed),
    ("the kfunc requires", Class::KfuncNotAllowed),
    ("requires cap_bpf", Class::UnprivCapability),
    ("requires cap_perfmon", Class::UnprivCapability),
    ("helper", Class::HelperNotAllowed),
];
