//! The kernel's functions: `/proc/kallsyms`, and those that ftrace can trace. Both lists are long,
//! and this reads them in an emulated VM: they are searched, not taken apart.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use memchr::{memchr, memmem, memrchr};

use super::pattern::Pattern;

const TRACING: &str = "/sys/kernel/tracing";

/// What compilers add to the name of a copy that they changed.
const CLONES: [&[u8]; 5] = [b".isra.", b".constprop.", b".part.", b".cold", b".llvm."];

/// The functions with a name.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Namesakes {
    /// That have the name itself.
    pub functions: usize,
    /// There is a changed copy: `do_x.isra.0` for `do_x`.
    pub has_clone: bool,
}

#[derive(Default)]
pub struct Symbols {
    /// Lines of `ADDRESS TYPE NAME`, and for a module's `\t[MODULE]`.
    all: Vec<u8>,
    /// Lines of `NAME`, and for a module's ` [MODULE]`.
    traceable: OnceCell<Vec<u8>>,
}

impl Symbols {
    pub fn read() -> Self {
        Self {
            all: fs::read("/proc/kallsyms").unwrap_or_default(),
            traceable: OnceCell::new(),
        }
    }

    /// One search of the whole list, which takes 10 ms in an emulated VM.
    pub fn find_namesakes(&self, name: &str) -> Namesakes {
        let mut found = Namesakes::default();
        for rest in self.functions_that_begin(name) {
            if matches!(rest.first(), None | Some(b'\n' | b'\t')) {
                found.functions += 1;
            }
            found.has_clone |= CLONES.iter().any(|clone| rest.starts_with(clone));
        }
        found
    }

    /// What follows this text in the lines of functions whose names begin with it.
    fn functions_that_begin(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let begin = format!(" {name}");
        let found: Vec<usize> = memmem::find_iter(&self.all, &begin).collect();
        found
            .into_iter()
            .filter(|&at| at > 0 && matches!(self.all[at - 1], b't' | b'T' | b'w' | b'W'))
            .map(move |at| &self.all[at + begin.len()..])
    }

    pub fn is_traceable(&self, name: &str) -> bool {
        let list = self
            .traceable
            .get_or_init(|| read_tracing("available_filter_functions"));
        lines_with(list, name.as_bytes()).any(|line| first_word(line) == name.as_bytes())
    }
}

/// The functions that can be traced and whose names match.
pub enum TraceableFunctions {
    At(Vec<u64>),
    /// A kernel before 6.5 does not tell where they are.
    Named(Vec<String>),
}

impl TraceableFunctions {
    pub fn find(pattern: &str) -> Self {
        let with_addresses = "available_filter_functions_addrs";
        if Path::new(TRACING).join(with_addresses).exists() {
            Self::At(find_addresses(&read_tracing(with_addresses), pattern))
        } else {
            Self::Named(find_names(
                &read_tracing("available_filter_functions"),
                pattern,
            ))
        }
    }
}

/// Lines of `ADDRESS NAME`, and for a module's ` [MODULE]`.
fn find_addresses(list: &[u8], pattern: &str) -> Vec<u64> {
    let pattern = Pattern::new(pattern);
    lines_with(list, pattern.longest_text())
        .filter_map(|line| {
            let mut words = line.splitn(3, |&byte| byte == b' ');
            let (address, name) = (words.next()?, words.next()?);
            let address = std::str::from_utf8(address).ok()?;
            pattern
                .matches(name)
                .then(|| u64::from_str_radix(address, 16).ok())?
        })
        .collect()
}

fn find_names(list: &[u8], pattern: &str) -> Vec<String> {
    let pattern = Pattern::new(pattern);
    let names = lines_with(list, pattern.longest_text()).map(first_word);
    let mut names: Vec<String> = names
        .filter(|name| pattern.matches(name))
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn read_tracing(file: &str) -> Vec<u8> {
    fs::read(Path::new(TRACING).join(file)).unwrap_or_default()
}

/// Each line once that has this text in it.
fn lines_with<'a>(list: &'a [u8], text: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let finder = memmem::Finder::new(text).into_owned();
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + finder.find(list.get(from..)?)?;
        let start = memrchr(b'\n', &list[..at]).map_or(0, |end| end + 1);
        let end = memchr(b'\n', &list[at..]).map_or(list.len(), |length| at + length);
        from = end + 1;
        Some(&list[start..end])
    })
}

fn first_word(line: &[u8]) -> &[u8] {
    let end = memchr(b' ', line).unwrap_or(line.len());
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> Symbols {
        let all = "ffffffff81000010 T vfs_read\n\
                   ffffffff81000020 t do_it.isra.0\n\
                   ffffffff81000030 t twice\n\
                   ffffffff81000040 t twice\n\
                   ffffffff81000050 D vfs_data\n\
                   ffffffff81000060 t vfs_write\n\
                   ffffffffc0000000 t veth_xmit\t[veth]\n";
        Symbols {
            all: all.as_bytes().to_vec(),
            traceable: OnceCell::from(b"vfs_read\nveth_xmit [veth]\ntwice\n".to_vec()),
        }
    }

    #[test]
    fn functions_are_found_by_name() {
        let symbols = symbols();
        let found = |name: &str| {
            let found = symbols.find_namesakes(name);
            (found.functions, found.has_clone)
        };
        assert_eq!(found("vfs_read"), (1, false));
        assert_eq!(found("veth_xmit"), (1, false));
        assert_eq!(found("twice"), (2, false));
        assert_eq!(found("do_it"), (0, true));
        for none in ["vfs_data", "vfs", "read", "veth"] {
            assert_eq!(found(none), (0, false), "{none}");
        }
        assert!(symbols.is_traceable("veth_xmit") && !symbols.is_traceable("vfs_write"));
        assert!(!symbols.is_traceable("veth") && !symbols.is_traceable("xmit"));
    }

    #[test]
    fn a_pattern_finds_what_can_be_traced() {
        let list = b"ffffffff81000010 vfs_read\nffffffff81000030 twice\n\
                     ffffffff81000040 twice\nffffffffc0000000 veth_xmit [veth]";
        assert_eq!(find_addresses(list, "v*s_*"), [0xffff_ffff_8100_0010]);
        assert_eq!(find_addresses(list, "twic?").len(), 2);
        assert_eq!(find_addresses(list, "*").len(), 4);
        assert_eq!(find_addresses(list, "ffff*"), [0; 0]);
        let names = b"vfs_read\ntwice\ntwice\nveth_xmit [veth]\n";
        assert_eq!(find_names(names, "*t?*"), ["twice", "veth_xmit"]);
        assert_eq!(find_names(names, "no*"), [""; 0]);
    }
}
