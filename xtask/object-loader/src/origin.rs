//! Which compiler made an object. No section says it in so many words (bpf-linker writes no
//! `.comment`), so it is recognised by what each kind of build leaves:
//!
//! ```text
//!   aya-build's default        DWARF with a producer "clang LLVM (rustc version 1.95.0 ...)"
//!   after llvm-strip -g        BTF, whose line information names files: src/main.rs
//!   debug = 0, without --btf   mangled names of panics; the name that bpf-linker gives to what it
//!                              links
//! ```

use memchr::{memmem, memrchr};
use object::{Object, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// Whether rustc made a part of this object.
pub fn is_rustc<'data>(file: &impl Object<'data>) -> bool {
    let data = |name| {
        file.section_by_name(name)
            .and_then(|section| section.data().ok())
            .unwrap_or_default()
    };
    let has_debug_information = file.section_by_name(".debug_info").is_some();
    let has_btf = file.section_by_name(".BTF").is_some();
    let is_linked = || {
        // C can be linked by bpf-linker too, but then its debug information or BTF would not name a
        // Rust file.
        !has_debug_information
            && !has_btf
            && file.symbols().any(|symbol| {
                symbol.kind() == SymbolKind::File && symbol.name() == Ok(BPF_LINKERS_MODULE)
            })
    };
    [".debug_str", ".debug_info"]
        .into_iter()
        .any(|name| has_producer(data(name)))
        || names_rust_file(data(".BTF"))
        || file
            .symbols()
            .any(|symbol| symbol.name().is_ok_and(is_mangled))
        || is_linked()
}

/// bpf-linker 0.13 links all of its inputs into a module of this name; LLVM writes it as the name
/// of the source file.
const BPF_LINKERS_MODULE: &str = "linked_module";

/// The producer of a compilation unit.
fn has_producer(dwarf: &[u8]) -> bool {
    memmem::find(dwarf, b"(rustc version ").is_some()
}

/// BTF keeps the names of source files among its strings, and beside them whole lines of source,
/// which have spaces.
fn names_rust_file(btf: &[u8]) -> bool {
    memmem::find_iter(btf, b".rs\0").any(|end| {
        let start = memrchr(0, &btf[..end]).map_or(0, |zero| zero + 1);
        !btf[start..end].contains(&b' ')
    })
}

/// rustc's own mangling, which is the default since 1.95, and the older one:
/// `_ZN4core9panicking...17h<16 digits>E`.
fn is_mangled(name: &str) -> bool {
    let is_hash =
        |hash: &str| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let legacy = || {
        name.strip_prefix("_ZN")?
            .strip_suffix('E')?
            .rsplit_once("17h")
    };
    name.starts_with("_RNv")
        || name.starts_with("_RIN")
        || legacy().is_some_and(|(_, hash)| is_hash(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_files_are_among_the_strings_of_btf() {
        assert!(names_rust_file(b"\0int\0/home/me/src/main.rs\0tail"));
        assert!(!names_rust_file(
            b"\0int\0/home/me/prog.bpf.c\0\treturn 0; // as in main.rs\0.rsx\0"
        ));
        assert!(!names_rust_file(b""));
    }

    #[test]
    fn mangled_names_are_rusts() {
        assert!(is_mangled(
            "_RNvNtCs1vf5PXl31O4_4core9panicking18panic_bounds_check"
        ));
        assert!(is_mangled(
            "_ZN4core9panicking9panic_fmt17h0123456789abcdefE"
        ));
        // C++ mangles the same way, without the hash.
        assert!(!is_mangled("_ZN4core9panicking9panic_fmtE"));
        assert!(!is_mangled("memcpy") && !is_mangled("handle_exec"));
    }

    #[test]
    fn the_producer_is_named_in_dwarf() {
        assert!(has_producer(
            b"\0clang LLVM (rustc version 1.95.0 (59807616e 2026-04-14))\0"
        ));
        assert!(!has_producer(b"\0Debian clang version 22.1.8\0"));
    }

    /// This test itself is no eBPF object, but rustc made it.
    #[test]
    fn a_real_file_of_rustc() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(is_rustc(&object::File::parse(own.as_slice()).unwrap()));
    }
}
