//! Where a field is in a struct of the running kernel.
//!
//! rustc writes no relocations, so an offset in a Rust program for the kernel is right for one
//! kernel only. The lessons ask the kernel that they are on, before they load, and pass the answer
//! as a global variable.

use std::path::Path;

use libbpf_rs::btf::types::{Composite, CompositeMember, MemberAttr};
use libbpf_rs::btf::{Btf, BtfType, HasSize as _};

use crate::NotReady;
use crate::machine::{self, Need};

/// The types of the running kernel. In an emulated VM opening costs 0.1 s: open it once.
pub struct Kernel {
    types: Btf<'static>,
}

impl Kernel {
    pub fn open() -> Result<Self, NotReady> {
        // libbpf would go on to look in seven other places, and then print its own message.
        if !machine::has_btf() {
            return Err(Need::Btf.missing(Path::new("/")));
        }
        let types = Btf::from_vmlinux();
        Ok(Self {
            types: types.map_err(|error| {
                NotReady::new(format!("cannot read the kernel's BTF: {error:#}"))
            })?,
        })
    }

    /// All types, for a lesson about BTF itself.
    pub fn btf_types(&self) -> &Btf<'static> {
        &self.types
    }

    /// In bytes. A path leads through structs inside structs, as in `offset("file",
    /// "f_path.dentry")`, but not through a pointer: what it points to is another struct.
    pub fn offset(&self, name: &str, path: &str) -> Result<u32, NotReady> {
        let bits = self.find(name).and_then(|found| self.bits(found, path));
        bits.map(|bits| bits / 8)
            .map_err(|why| problem(&format!("the offset of {name}.{path}"), &why))
    }

    /// In bytes.
    pub fn size_of(&self, name: &str) -> Result<usize, NotReady> {
        self.find(name)
            .map(|found| found.size())
            .map_err(|why| problem(&format!("the size of {name}"), &why))
    }

    /// The first struct or union of that name. A dozen names mean two different structs (`console`
    /// is one in Linux 6.12); no lesson needs those.
    fn find(&self, name: &str) -> Result<Composite<'_>, String> {
        // The first type of that name is usually the struct, but a typedef, a function or a mere
        // declaration may come before it, as for `iomap` in Linux 5.10. To look at all of them adds
        // 0.4 s in an emulated VM.
        let mut all = self.types.type_by_kind::<Composite<'_>>();
        let first = self.types.type_by_name(name);
        first
            .or_else(|| all.find(|found| found.name().is_some_and(|other| other == name)))
            .ok_or_else(|| format!("no struct or union is called {name}"))
    }

    fn bits(&self, within: Composite<'_>, path: &str) -> Result<u32, String> {
        let (name, rest) = path
            .split_once('.')
            .map_or((path, None), |(name, rest)| (name, Some(rest)));
        let (bits, field) = self
            .field(within, name)
            .ok_or_else(|| format!("there is no field {name}"))?;
        let Some(rest) = rest else {
            return whole_bytes(bits, field.attr, name);
        };
        match self.composite(&field) {
            Some(inner) => Ok(bits + self.bits(inner, rest)?),
            None => Err(format!(
                "{name} is not an embedded struct or union; a pointer must be read first"
            )),
        }
    }

    /// A field and where it begins. The fields of a nameless struct or union count as those of the
    /// outer one, as they do in C.
    fn field<'a>(
        &'a self,
        within: Composite<'a>,
        name: &str,
    ) -> Option<(u32, CompositeMember<'a>)> {
        (0..within.len())
            .filter_map(|index| within.get(index))
            .find_map(|field| match field.name {
                Some(other) => (other == name).then(|| (start(field.attr), field)),
                None => {
                    let (bits, inner) = self.field(self.composite(&field)?, name)?;
                    Some((start(field.attr) + bits, inner))
                }
            })
    }

    /// The struct or union that this field embeds.
    fn composite(&self, field: &CompositeMember<'_>) -> Option<Composite<'_>> {
        self.types
            .type_by_id::<BtfType<'_>>(field.ty)?
            .skip_mods_and_typedefs()
            .try_into()
            .ok()
    }
}

fn start(attributes: MemberAttr) -> u32 {
    let (MemberAttr::Normal { offset } | MemberAttr::BitField { offset, .. }) = attributes;
    offset
}

fn whole_bytes(bits: u32, attributes: MemberAttr, name: &str) -> Result<u32, String> {
    match attributes {
        MemberAttr::Normal { .. } if bits.is_multiple_of(8) => Ok(bits),
        _ => Err(format!("{name} is a bit field, and has no address")),
    }
}

fn problem(what: &str, why: &str) -> NotReady {
    NotReady::new(format!(
        "cannot find {what} in the BTF of Linux {}: {why}",
        machine::kernel_release()
    ))
    .help("bpftool btf dump file /sys/kernel/btf/vmlinux format c shows the types of this kernel")
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::process::Command;

    use libbpf_rs::btf::BtfKind;

    use super::*;

    const SOURCE: &str = "
        typedef int shadowed;
        struct shadowed { long first; int second; };
        struct inner { int a; long b; };
        struct outer {
            char c;
            const struct inner named;
            union {
                int whole;
                struct { short low; short high; };
            };
            struct inner *pointer;
            unsigned before : 8, flag : 3;
            int last;
        };
        union either { char small; long large[3]; };
        shadowed a; struct shadowed b; struct outer c; union either d;
    ";

    /// Types that clang made, so that the numbers below can be counted by hand.
    fn compiled() -> Kernel {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let (source, object) = (
            directory.path().join("types.c"),
            directory.path().join("types.o"),
        );
        fs::write(&source, SOURCE).expect("the source can be written");
        let clang = env::var_os("CLANG").unwrap_or_else(|| "clang".into());
        let mut command = Command::new(clang);
        command
            .args(["-target", "bpf", "-g", "-c", "-o"])
            .args([&object, &source]);
        assert!(
            command
                .status()
                .expect("clang is there, as for building the lessons")
                .success()
        );
        Kernel {
            types: Btf::from_path(&object).expect("clang writes BTF"),
        }
    }

    #[test]
    fn a_path_leads_through_embedded_structs() {
        let kernel = compiled();
        let expected = [
            ("c", 0),
            ("named", 8),
            ("named.a", 8),
            ("named.b", 16),
            ("whole", 24),
            ("low", 24),
            ("high", 26),
            ("pointer", 32),
            ("last", 44),
        ];
        for (path, offset) in expected {
            assert_eq!(kernel.offset("outer", path).expect(path), offset, "{path}");
        }
        assert_eq!(
            kernel
                .offset("either", "large")
                .expect("unions have fields"),
            0
        );
    }

    #[test]
    fn sizes_are_those_of_structs_and_unions() {
        let kernel = compiled();
        let sizes = ["outer", "inner", "either"].map(|name| kernel.size_of(name).expect(name));
        assert_eq!(sizes, [48, 16, 24]);
    }

    #[test]
    fn a_typedef_of_the_same_name_does_not_hide_a_struct() {
        let kernel = compiled();
        let first: BtfType<'_> = kernel.types.type_by_name("shadowed").expect("it is used");
        assert_eq!(
            first.kind(),
            BtfKind::Typedef,
            "otherwise this test shows nothing"
        );
        assert_eq!(
            kernel
                .offset("shadowed", "second")
                .expect("the struct is found"),
            8
        );
    }

    #[test]
    fn what_has_no_offset_is_refused_by_name() {
        let kernel = compiled();
        let refused = [
            ("nothing", "a", "no struct or union is called nothing"),
            ("outer", "nothing", "there is no field nothing"),
            ("outer", "named.nothing", "there is no field nothing"),
            ("outer", "", "there is no field "),
            ("outer", "named.", "there is no field "),
            ("outer", "flag", "flag is a bit field"),
            ("outer", "before", "before is a bit field"),
            (
                "outer",
                "pointer.a",
                "pointer is not an embedded struct or union",
            ),
            ("outer", "c.a", "c is not an embedded struct or union"),
        ];
        for (name, path, why) in refused {
            let text = kernel.offset(name, path).expect_err(path).to_string();
            assert!(
                text.contains(&format!("{name}.{path} ")) && text.contains(why),
                "{text}"
            );
            assert!(text.contains(&machine::kernel_release()), "{text}");
        }
        assert!(kernel.size_of("nothing").is_err());
    }

    #[test]
    fn the_running_kernel_tells_or_says_that_it_cannot() {
        match Kernel::open() {
            // Two pointers, on every kernel since the first.
            Ok(kernel) => {
                assert_eq!(
                    kernel.size_of("list_head").expect("every kernel has it"),
                    16
                );
                assert_eq!(
                    kernel
                        .offset("list_head", "prev")
                        .expect("every kernel has it"),
                    8
                );
            }
            Err(problem) => assert!(!machine::has_btf(), "{problem}"),
        }
    }
}
