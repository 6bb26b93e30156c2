//! Why a call that no kernel accepts is made, and what to write instead.

/// What a line does that ends in such a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ForbiddenKind {
    Index,
    SliceRange,
    CopyLength,
    Unwrap,
    Expect,
    Division,
    Overflow,
    Borrow,
    Assertion,
    /// One whose argument core checks: `split_at`, `chunks`, `ilog2`.
    Argument,
    /// `panic!`, and all others.
    Panic,
    /// Through a register: `dyn Trait`, a function pointer.
    Pointer,
    /// `memcpy` and its like.
    MissingMemory,
    Missing,
    /// What LLVM writes where a program's behaviour is undefined.
    Trap,
}

/// The functions of core that are called, and of those inlined at the call, by their last names.
const NAMES: [(&str, ForbiddenKind); 24] = [
    ("panic_bounds_check", ForbiddenKind::Index),
    ("slice_index_fail", ForbiddenKind::SliceRange),
    // Before Rust 1.91.
    ("slice_start_index_len_fail", ForbiddenKind::SliceRange),
    ("slice_end_index_len_fail", ForbiddenKind::SliceRange),
    ("slice_index_order_fail", ForbiddenKind::SliceRange),
    ("slice_error_fail", ForbiddenKind::SliceRange),
    ("len_mismatch_fail", ForbiddenKind::CopyLength),
    ("unwrap_failed", ForbiddenKind::Unwrap),
    ("expect_failed", ForbiddenKind::Expect),
    ("panic_const_div_by_zero", ForbiddenKind::Division),
    ("panic_const_rem_by_zero", ForbiddenKind::Division),
    ("panic_const_div_overflow", ForbiddenKind::Division),
    ("panic_const_rem_overflow", ForbiddenKind::Division),
    ("panic_const_add_overflow", ForbiddenKind::Overflow),
    ("panic_const_sub_overflow", ForbiddenKind::Overflow),
    ("panic_const_mul_overflow", ForbiddenKind::Overflow),
    ("panic_const_neg_overflow", ForbiddenKind::Overflow),
    ("panic_const_shl_overflow", ForbiddenKind::Overflow),
    ("panic_const_shr_overflow", ForbiddenKind::Overflow),
    ("panic_already_borrowed", ForbiddenKind::Borrow),
    ("panic_already_mutably_borrowed", ForbiddenKind::Borrow),
    ("assert_failed", ForbiddenKind::Assertion),
    ("assert_failed_inner", ForbiddenKind::Assertion),
    ("panic_for_nonpositive_argument", ForbiddenKind::Argument),
];

impl ForbiddenKind {
    /// By the path of the function that never returns, and the library's functions that are inlined
    /// at its call.
    pub(crate) fn of_panic<'a>(callee: &str, mut inlined: impl Iterator<Item = &'a str>) -> Self {
        let generic = callee.split("::<").next().unwrap_or(callee);
        let name = generic.rsplit("::").next().unwrap_or(generic);
        let known = NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| *kind);
        match known {
            // `expect` of a Result calls what `unwrap` does.
            Some(Self::Unwrap) if inlined.any(|function| function.starts_with("expect")) => {
                Self::Expect
            }
            Some(kind) => kind,
            None if inlined.next().is_some() => Self::Argument,
            None => Self::Panic,
        }
    }

    pub(crate) fn of_missing(name: &str) -> Self {
        match name {
            crate::code::TRAP => Self::Trap,
            "memcpy" | "memmove" | "memset" | "memcmp" | "bcmp" => Self::MissingMemory,
            _ => Self::Missing,
        }
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::SliceRange => "slice-range",
            Self::CopyLength => "copy-length",
            Self::Unwrap => "unwrap",
            Self::Expect => "expect",
            Self::Division => "division",
            Self::Overflow => "overflow",
            Self::Borrow => "borrow",
            Self::Assertion => "assertion",
            Self::Argument => "argument",
            Self::Panic => "panic",
            Self::Pointer => "pointer",
            Self::MissingMemory => "missing-memory-function",
            Self::Missing => "missing-function",
            Self::Trap => "trap",
        }
    }

    pub fn is_panic(self) -> bool {
        !matches!(
            self,
            Self::Pointer | Self::MissingMemory | Self::Missing | Self::Trap
        )
    }

    /// Why the line ends in such a call.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Index => "the index can be out of range",
            Self::SliceRange => {
                "the range can be beyond the end of the slice, or its start after its end"
            }
            Self::CopyLength => "the two slices can have different lengths",
            Self::Unwrap => "`unwrap` of a None or an Err",
            Self::Expect => "`expect` of a None or an Err",
            Self::Division => "the divisor can be 0",
            Self::Overflow => {
                "the result can be too large for its type, and overflow checks are on"
            }
            Self::Borrow => "the RefCell can be borrowed already",
            Self::Assertion => "the two values of the assertion can be different",
            Self::Argument => "a function of the library checks its argument",
            Self::Panic => "`panic!`, `assert!`, `unreachable!` or `todo!`",
            Self::Pointer => "a `dyn` method or a function pointer",
            Self::MissingMemory => {
                "copying, filling or comparing memory became a call of a function of the C library"
            }
            Self::Missing => {
                "the function is declared, and neither the object nor the kernel has it"
            }
            Self::Trap => "LLVM put a trap where the program's behaviour is undefined",
        }
    }

    /// What to write in place of it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Index => {
                "`get(i)` or `get_mut(i)` with `let Some(..) = .. else { return 0 }`; or, for a \
                 length that is a power of two, an index with a mask, as in `TABLE[i & 7]`"
            }
            Self::SliceRange => {
                "`get(..n)` with `let Some(..) = .. else { return 0 }`; often a fixed length and \
                 the number of valid bytes beside it are enough"
            }
            Self::CopyLength => {
                "compare the lengths first and return if they differ, or copy arrays of the same \
                 type: `a = b`"
            }
            Self::Unwrap | Self::Expect => {
                "`let Some(value) = .. else { return 0 };` (`let Ok(value)` for a Result), `if \
                 let`, or `?` in a function that returns a Result"
            }
            Self::Division => "`checked_div` or `checked_rem`, or return first if the divisor is 0",
            Self::Overflow => {
                "`wrapping_add`, `checked_add` or `saturating_add`, and so on; or build with \
                 `--release`, where these checks are off"
            }
            Self::Borrow => "a map in place of the RefCell",
            Self::Assertion | Self::Panic => "`return` with a value, or count the case in a map",
            Self::Argument => {
                "check the argument first and return, or call the form that gives an Option: \
                 `split_at_checked`, `checked_ilog2`"
            }
            Self::Pointer => {
                "generics (`impl Trait`) or an `enum` with `match`; in C `if` or `switch`"
            }
            Self::MissingMemory => {
                "in C `__builtin_memcpy` with a constant length; in Rust a build with `-Z \
                 build-std=core`, whose compiler_builtins has the function"
            }
            Self::Missing => {
                "define the function, or use a helper of the kernel; a kfunc in C is declared with \
                 `__ksym`"
            }
            Self::Trap => {
                "look for `unreachable_unchecked`, `unwrap_unchecked` or \
                 `__builtin_unreachable()`, and for a panic strategy that aborts"
            }
        }
    }
}
