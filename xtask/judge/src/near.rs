//! The kernel's name that is nearest to one that it does not have. It is looked up only when
//! something failed: the kernel takes a second to print all names in an emulated VM. So its list is
//! read only up to a name that is there.

use std::fs::File;
use std::io::{self, Read};

use memchr::memmem;

use crate::hook::{Hook, Placed};

/// As much as the kernel prints for one call of read(2).
const PIECE: usize = 4096;

/// What a library said about these programs, and for each hook that this kernel does not have, the
/// nearest that it has.
pub fn with_names(said: String, programs: &[Placed]) -> String {
    let mut lines = vec![said];
    for program in programs {
        // What cannot be read is left out.
        if let Ok(symbols) = File::open("/proc/kallsyms")
            && let Ok(Some(missing)) = missing(program, symbols)
        {
            lines.push(missing);
        }
    }
    lines.join("\n")
}

/// Why a program could not be attached.
pub fn attach_error(program: &Placed, said: &str) -> anyhow::Error {
    let targets = program.attach_targets().join(" or ");
    let mut said = format!("cannot attach {} to {targets}: {said}", program.name);
    let denied = said.contains("EACCES") || said.contains("Permission denied");
    if matches!(program.hook, Hook::Tracepoint(_)) && denied {
        // The verifier does not know how long the record is; perf_event_set_bpf_prog compares.
        said += &format!(
            "\nit reads beyond the end of the record, whose fields are in events/{targets}/format"
        );
    }
    anyhow::Error::msg(with_names(said, std::slice::from_ref(program)))
}

/// Nothing, if this kernel has one of the program's hooks, or if that cannot be told.
fn missing(program: &Placed, symbols: impl Read) -> io::Result<Option<String>> {
    let prefix = match program.hook {
        Hook::KProbe(_) | Hook::KRetProbe(_) | Hook::FEntry(_) | Hook::FExit(_) => "",
        // For each of its hooks the kernel has an empty function with this name.
        Hook::Lsm(_) => "bpf_lsm_",
        _ => return Ok(None),
    };
    let targets = program.attach_targets();
    let bare = |target: &str| target.split('+').next().unwrap_or_default().to_owned();
    let wanted: Vec<String> = targets.iter().map(|target| bare(target)).collect();
    let Some(symbols) = read_without(symbols, prefix, &wanted)? else {
        return Ok(None);
    };
    let functions = functions(&symbols).filter_map(|name| name.strip_prefix(prefix));
    let Some(first) = wanted.first() else {
        return Ok(None);
    };
    let nearest = nearest(first, functions);
    let nearest = nearest.map_or_else(String::new, |name| format!("; the nearest is {name}"));
    Ok(Some(format!(
        "this kernel has no {}{nearest}",
        wanted.join(" and no ")
    )))
}

/// All of /proc/kallsyms, unless it has one of these functions.
fn read_without(
    mut symbols: impl Read,
    prefix: &str,
    wanted: &[String],
) -> io::Result<Option<String>> {
    let wanted: Vec<String> = wanted
        .iter()
        .map(|name| format!(" {prefix}{name}"))
        .collect();
    let longest = wanted.iter().map(String::len).max().unwrap_or_default();
    let mut piece = [0; PIECE];
    let mut text = Vec::new();
    let mut searched = 0;
    loop {
        let length = symbols.read(&mut piece)?;
        text.extend_from_slice(&piece[..length]);
        if wanted
            .iter()
            .any(|name| has_function(&text[searched..], name))
        {
            return Ok(None);
        }
        if length == 0 {
            return Ok(Some(String::from_utf8_lossy(&text).into_owned()));
        }
        // A name that this piece has only in part is looked for in the next one again, with the
        // letter before it and the character after it.
        searched = text.len().saturating_sub(longest + 1);
    }
}

/// `name` begins with the space before it.
fn has_function(symbols: &[u8], name: &str) -> bool {
    memmem::find_iter(symbols, name).any(|at| {
        let kind = at.checked_sub(1).and_then(|before| symbols.get(before));
        let after = symbols.get(at + name.len());
        kind.is_some_and(|kind| b"tTwW".contains(kind))
            && after.is_some_and(|after| b"\n\t".contains(after))
    })
}

/// The names in the code of /proc/kallsyms: `ffffffff81000000 T vfs_read`.
fn functions(symbols: &str) -> impl Iterator<Item = &str> {
    symbols.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (kind, name) = (words.next()?, words.next()?);
        matches!(kind, "t" | "T" | "w" | "W").then(|| name.split('\t').next().unwrap_or(name))
    })
}

fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = wanted.len() / 3;
    let of_similar_length = |name: &&str| name.len().abs_diff(wanted.len()) <= limit;
    let with_distance = |name| (strsim::osa_distance(name, wanted), name);
    let (distance, name) = names.filter(of_similar_length).map(with_distance).min()?;
    (distance <= limit).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "ffffffff81000000 T vfs_read\n\
        ffffffff81000010 t vfs_readv\n\
        ffffffff81000020 D vfs_reed\n\
        ffffffff81000030 T bpf_lsm_path_chmod\n\
        ffffffffc0000000 t veth_xmit\t[veth]\n";

    fn placed(hook: Hook, section: &str) -> Placed {
        Placed {
            name: "it",
            hook,
            section: section.to_owned(),
        }
    }

    fn missing_of(hook: Hook, section: &str) -> Option<String> {
        missing(&placed(hook, section), SYMBOLS.as_bytes()).unwrap()
    }

    /// Gives a few bytes at a time, and counts them.
    struct Few<'a> {
        rest: &'a [u8],
        most: usize,
        given: usize,
    }

    impl Read for Few<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.most.min(buffer.len());
            let length = self.rest.read(&mut buffer[..most])?;
            self.given += length;
            Ok(length)
        }
    }

    #[test]
    fn a_function_that_the_kernel_lacks_gets_the_nearest() {
        let told = missing_of(Hook::FExit("vfs_read"), "fexit/vfs_reed").unwrap();
        assert_eq!(told, "this kernel has no vfs_reed; the nearest is vfs_read");
        let told = missing_of(Hook::Lsm("path_chmod"), "lsm/path_chmd").unwrap();
        assert_eq!(
            told,
            "this kernel has no path_chmd; the nearest is path_chmod"
        );
        let told = missing_of(Hook::KProbe(&["do_unlinkat", "something_else"]), "kprobe").unwrap();
        assert_eq!(told, "this kernel has no do_unlinkat and no something_else");
    }

    #[test]
    fn a_function_that_is_there_is_not_told() {
        assert_eq!(
            missing_of(Hook::KProbe(&["gone", "veth_xmit"]), "kprobe"),
            None
        );
        assert_eq!(
            missing_of(Hook::KProbe(&["vfs_read"]), "kprobe/vfs_read+4"),
            None
        );
        assert_eq!(missing_of(Hook::Xdp, "xdp"), None);
    }

    #[test]
    fn a_name_is_found_wherever_a_piece_ends_and_only_whole() {
        for most in 1..=SYMBOLS.len() {
            let is_missing = |name: &str| {
                let symbols = Few {
                    rest: SYMBOLS.as_bytes(),
                    most,
                    given: 0,
                };
                let placed = placed(Hook::FExit("vfs_read"), &format!("fexit/{name}"));
                missing(&placed, symbols).unwrap().is_some()
            };
            for name in ["vfs_read", "vfs_readv", "bpf_lsm_path_chmod", "veth_xmit"] {
                assert!(!is_missing(name), "{name}, {most}");
            }
            for name in ["vfs_rea", "fs_read", "vfs_reed", "veth", "xmit"] {
                assert!(is_missing(name), "{name}, {most}");
            }
        }
    }

    #[test]
    fn nothing_is_read_after_a_name_that_is_there() {
        let mut symbols = Few {
            rest: SYMBOLS.as_bytes(),
            most: 10,
            given: 0,
        };
        let told = missing(&placed(Hook::KProbe(&["vfs_read"]), "kprobe"), &mut symbols);
        assert_eq!(told.unwrap(), None);
        assert!(symbols.given <= "ffffffff81000000 T vfs_read\n".len() + 10);
    }
}
