//! The classes of errors: what those of a class have in common, and what to do about them.
//!
//! A class is a variant of [`Class`]; its texts are in the file of its family. A new class needs
//! its texts there and a line in the list below; the compiler asks for whatever is missing.

use alloc::borrow::ToOwned;
use alloc::string::String;

mod bounds;
mod calls;
pub mod class_text;
mod context;
mod flow;
mod kernel;
mod loading;
mod objects;
mod pointers;
mod stack;

use core::fmt;
use core::str::FromStr;

use class_text::ClassText;

/// Makes the variants of [`Class`], and leads from each to its texts, from one list.
macro_rules! classes {
    ($($variant:ident => $family:ident::$text:ident,)*) => {
        /// A class of errors. A variant's name is its slug in camel case: `MapValueBounds` is
        /// `map-value-bounds`.
        ///
        /// [`Class::title`] says in half a sentence what a class is about, [`Class::text`] at
        /// length; [`Class::ALL`] lists them.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[expect(missing_docs, reason = "what each variant means is data: its title and text")]
        #[non_exhaustive]
        pub enum Class {
            $($variant,)*
        }

        impl Class {
            /// All classes, by family.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Why the verifier rejects this, and what to change.
            pub fn text(self) -> &'static ClassText {
                match self {
                    $(Self::$variant => &$family::$text,)*
                }
            }
        }
    };
}

classes! {
    MapValueBounds => bounds::MAP_VALUE_BOUNDS,
    PacketBounds => bounds::PACKET_BOUNDS,
    MemBounds => bounds::MEM_BOUNDS,
    BufferBounds => bounds::BUFFER_BOUNDS,
    PtrArithUnbounded => bounds::PTR_ARITH_UNBOUNDED,
    UnboundedAccess => bounds::UNBOUNDED_ACCESS,
    HelperSizeNegative => bounds::HELPER_SIZE_NEGATIVE,
    HelperSizeUnbounded => bounds::HELPER_SIZE_UNBOUNDED,
    HelperSizeZero => bounds::HELPER_SIZE_ZERO,
    PtrArithOutOfBounds => bounds::PTR_ARITH_OUT_OF_BOUNDS,
    StackVarOff => bounds::STACK_VAR_OFF,
    Misaligned => bounds::MISALIGNED,
    MapReadonlyWrite => bounds::MAP_READONLY_WRITE,
    ScalarDeref => pointers::SCALAR_DEREF,
    PointerDeref => pointers::POINTER_DEREF,
    MapValueOrNull => pointers::MAP_VALUE_OR_NULL,
    PtrArithProhibited => pointers::PTR_ARITH_PROHIBITED,
    PtrBitwiseOp => pointers::PTR_BITWISE_OP,
    BpfTrapAndPointerMerge => pointers::BPF_TRAP_AND_POINTER_MERGE,
    RegisterSpill => pointers::REGISTER_SPILL,
    LeaksAddr => pointers::LEAKS_ADDR,
    BtfStructAccess => pointers::BTF_STRUCT_ACCESS,
    ModifiedPointer => pointers::MODIFIED_POINTER,
    RcuOrTrusted => pointers::RCU_OR_TRUSTED,
    UnprivCapability => pointers::UNPRIV_CAPABILITY,
    UninitStack => stack::UNINIT_STACK,
    UninitReg => stack::UNINIT_REG,
    StackLimit => stack::STACK_LIMIT,
    StackBounds => stack::STACK_BOUNDS,
    StackPointerEscape => stack::STACK_POINTER_ESCAPE,
    StackArgs => stack::STACK_ARGS,
    NoExitLastInsn => flow::NO_EXIT_LAST_INSN,
    UnreachableInsn => flow::UNREACHABLE_INSN,
    JumpOutOfRange => flow::JUMP_OUT_OF_RANGE,
    LoopBackEdge => flow::LOOP_BACK_EDGE,
    InfiniteLoop => flow::INFINITE_LOOP,
    ComplexityInsns => flow::COMPLEXITY_INSNS,
    ComplexityJumps => flow::COMPLEXITY_JUMPS,
    UnknownOpcode => flow::UNKNOWN_OPCODE,
    MalformedInsn => flow::MALFORMED_INSN,
    AtomicsReserved => flow::ATOMICS_RESERVED,
    JumpTable => flow::JUMP_TABLE,
    LdAbs => flow::LD_ABS,
    HelperArgType => calls::HELPER_ARG_TYPE,
    HelperNotAllowed => calls::HELPER_NOT_ALLOWED,
    Lockdown => calls::LOCKDOWN,
    MapTypeMismatch => calls::MAP_TYPE_MISMATCH,
    HelperPacketArg => calls::HELPER_PACKET_ARG,
    Gpl => calls::GPL,
    GlobalFuncArg => calls::GLOBAL_FUNC_ARG,
    GlobalFuncReturn => calls::GLOBAL_FUNC_RETURN,
    CallDepthRecursion => calls::CALL_DEPTH_RECURSION,
    TailCallRules => calls::TAIL_CALL_RULES,
    Callbacks => calls::CALLBACKS,
    Exceptions => calls::EXCEPTIONS,
    KfuncNotAllowed => calls::KFUNC_NOT_ALLOWED,
    KfuncMissing => calls::KFUNC_MISSING,
    KfuncNullArg => calls::KFUNC_NULL_ARG,
    KfuncArg => calls::KFUNC_ARG,
    ConstArg => calls::CONST_ARG,
    ConstString => calls::CONST_STRING,
    ReadonlyMemory => calls::READONLY_MEMORY,
    BuiltinCall => calls::BUILTIN_CALL,
    LlvmUnsupported => calls::LLVM_UNSUPPORTED,
    CtxAccess => context::CTX_ACCESS,
    CtxModified => context::CTX_MODIFIED,
    ReturnRange => context::RETURN_RANGE,
    SleepableContext => context::SLEEPABLE_CONTEXT,
    LockRules => context::LOCK_RULES,
    UnreleasedRef => context::UNRELEASED_REF,
    ReleaseNotOwned => context::RELEASE_NOT_OWNED,
    Dynptr => objects::DYNPTR,
    Iterators => objects::ITERATORS,
    Kptr => objects::KPTR,
    AllocatedObjects => objects::ALLOCATED_OBJECTS,
    Arena => objects::ARENA,
    SpecialField => objects::SPECIAL_FIELD,
    MapBtfRequired => objects::MAP_BTF_REQUIRED,
    MapWriteStatic => objects::MAP_WRITE_STATIC,
    MapNotAllowed => objects::MAP_NOT_ALLOWED,
    StructOps => objects::STRUCT_OPS,
    BtfFuncInfo => kernel::BTF_FUNC_INFO,
    ResourceLimits => kernel::RESOURCE_LIMITS,
    VerifierBug => kernel::VERIFIER_BUG,
    JitUnsupported => kernel::JIT_UNSUPPORTED,
    MapFdInvalid => kernel::MAP_FD_INVALID,
    AttachBtf => kernel::ATTACH_BTF,
    ExtensionMismatch => kernel::EXTENSION_MISMATCH,
    MapCreate => kernel::MAP_CREATE,
    SignedProgram => kernel::SIGNED_PROGRAM,
    CoreRelo => kernel::CORE_RELO,
    KernelBtfMissing => kernel::KERNEL_BTF_MISSING,
    MissingMap => loading::MISSING_MAP,
    RelocationFailed => loading::RELOCATION_FAILED,
    ObjectAlignment => loading::OBJECT_ALIGNMENT,
    ObjectNotBpf => loading::OBJECT_NOT_BPF,
    LoaderUnsupported => loading::LOADER_UNSUPPORTED,
    SectionName => loading::SECTION_NAME,
    LegacyMaps => loading::LEGACY_MAPS,
    BtfRejected => loading::BTF_REJECTED,
    LinkerFailed => loading::LINKER_FAILED,
    NoPermission => loading::NO_PERMISSION,
    LogTruncated => loading::LOG_TRUNCATED,
    MapCreateFailed => loading::MAP_CREATE_FAILED,
    CleanLogError => loading::CLEAN_LOG_ERROR,
}

impl Class {
    /// The name that commands and pages use: `map-value-bounds`.
    pub fn slug(self) -> &'static str {
        self.text().slug
    }

    /// Half a sentence that says what is wrong.
    pub fn title(self) -> &'static str {
        self.text().title
    }
}

/// As an object with its texts.
#[cfg(feature = "serde")]
impl serde::Serialize for Class {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text().serialize(serializer)
    }
}

/// From its slug.
impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(slug: &str) -> Result<Self, UnknownClass> {
        for class in Self::ALL {
            if class.slug() == slug {
                return Ok(*class);
            }
        }
        Err(UnknownClass(slug.to_owned()))
    }
}

/// A name that no class has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownClass(pub String);

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no class of errors is called '{}'", self.0)
    }
}

impl core::error::Error for UnknownClass {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    /// `MapValueBounds` as `map-value-bounds`.
    fn in_kebab_case(variant: &str) -> String {
        let mut slug = String::new();
        for letter in variant.chars() {
            if letter.is_uppercase() && !slug.is_empty() {
                slug.push('-');
            }
            slug.push(letter.to_ascii_lowercase());
        }
        slug
    }

    #[test]
    fn a_class_is_found_by_its_slug() {
        for class in Class::ALL {
            assert_eq!(class.slug(), in_kebab_case(&format!("{class:?}")));
            assert_eq!(class.slug().parse(), Ok(*class));
        }
        let error = "map-value-bound".parse::<Class>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no class of errors is called 'map-value-bound'"
        );
    }

    #[test]
    fn texts_are_whole() {
        for class in Class::ALL {
            let text = class.text();
            for part in [text.title, text.rule, text.fix_c, text.fix_rust] {
                assert!(
                    !part.is_empty() && part.trim() == part,
                    "{class:?}: {part:?}"
                );
            }
            assert!(text.rule.ends_with('.'), "{class:?}");
            assert!(text.title.starts_with(char::is_lowercase), "{class:?}");
        }
    }
}
