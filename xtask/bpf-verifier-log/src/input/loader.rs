//! The programs and libraries that load eBPF programs and print the verifier's log.

use crate::grammar::needle::Needle;

/// What printed a log, as far as its words tell.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Loader {
    /// aya, the library for Rust.
    Aya,
    /// libbpf, below whatever uses it.
    Libbpf,
    /// libbpf-rs, the library for Rust that uses libbpf.
    LibbpfRs,
    /// cilium/ebpf, the library for Go.
    EbpfGo,
    /// `bpftool prog load`.
    Bpftool,
    /// bpftrace, by itself or with libbpf.
    Bpftrace,
    /// bcc, the library and its modules for Python and Lua.
    Bcc,
    /// `tc` and `ip` with their own loader, which they have where they are built without libbpf.
    Iproute2,
}

impl Loader {
    /// How to get a log that is not cut.
    pub fn how_to_get_whole_log(self) -> &'static str {
        match self {
            Self::Aya => {
                "aya's error holds the log, up to 16 MB of it: write the whole error to a file, \
                 `{err:?}` or the field `verifier_log` of `ProgramError::LoadError`. If it is \
                 longer, load with `EbpfLoader::verifier_log_level(VerifierLogLevel::DEBUG)`, \
                 without `VERBOSE`."
            }
            Self::Libbpf => {
                "libbpf prints the whole log, and makes its buffer larger until the log fits, \
                 unless the program brings its own: leave out `kernel_log_buf` and \
                 `bpf_program__set_log_buf`, and print what the function of `libbpf_set_print` \
                 gets without a limit of its length."
            }
            Self::LibbpfRs => {
                "libbpf prints the whole log on standard error in one piece. With \
                 `libbpf_rs::set_print`, the function gets it as one string: print all of it."
            }
            Self::EbpfGo => {
                "print the error with `%+v`: `var ve *ebpf.VerifierError; if errors.As(err, &ve) \
                 { fmt.Printf(\"%+v\\n\", ve) }`. If it says that the log is truncated, raise \
                 `ProgramOptions.LogSizeStart` (`LogSize` in older versions)."
            }
            Self::Bpftool => {
                "`bpftool -d prog load FILE /sys/fs/bpf/NAME 2> log.txt` writes all that libbpf \
                 and the verifier print to a file."
            }
            Self::Bpftrace => {
                "run `bpftrace -v` with a larger buffer in its environment: \
                 `BPFTRACE_LOG_SIZE=16777216`."
            }
            Self::Bcc => {
                "bcc prints the whole log on standard error if it may choose the buffer: call \
                 `bcc_prog_load` without one; in Python, `BPF(..., debug=0x2)` asks for the log."
            }
            Self::Iproute2 => {
                "`tc` and `ip` (iproute2): add `verbose` to the command. The buffer of this loader \
                 ends at 16 MB: if that does not suffice, load the object with bpftool, which uses \
                 libbpf: `bpftool -d prog load FILE /sys/fs/bpf/NAME 2> log.txt`."
            }
        }
    }
}

/// The loader whose words are in a line.
pub fn find_loader(line: &str) -> Option<Loader> {
    // The first that is found counts: some use others.
    static WORDS: [(Needle, Loader); 14] = [
        (Needle::new("Verifier output:"), Loader::Aya),
        (Needle::new("bpf: Failed to load program"), Loader::Bcc),
        (Needle::new("load program: "), Loader::EbpfGo),
        (
            Needle::new("Error: failed to load object file"),
            Loader::Bpftool,
        ),
        (
            Needle::new("Error loading BPF program for "),
            Loader::Bpftrace,
        ),
        (Needle::new("Error loading program: "), Loader::Bpftrace),
        (
            Needle::new("Loading BPF object(s) failed"),
            Loader::Bpftrace,
        ),
        (Needle::new("Failed to load BPF program b'"), Loader::Bcc),
        (Needle::new("Prog section '"), Loader::Iproute2),
        (Needle::new("Unable to load program"), Loader::Iproute2),
        (
            Needle::new("Error filling program arrays"),
            Loader::Iproute2,
        ),
        (
            Needle::new("Log buffer too small to dump"),
            Loader::Iproute2,
        ),
        (Needle::new("BPFTRACE_LOG_SIZE"), Loader::Bpftrace),
        (Needle::new("libbpf: "), Loader::Libbpf),
    ];
    WORDS
        .iter()
        .find(|(word, _)| word.is_in(line))
        .map(|(_, loader)| *loader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaders_are_known_by_their_words() {
        for (line, loader) in [
            (
                "Error: the BPF_PROG_LOAD syscall returned EINVAL. Verifier output: 0: x",
                Some(Loader::Aya),
            ),
            (
                "libbpf: prog 'a': failed to load: -13",
                Some(Loader::Libbpf),
            ),
            (
                "field A: program a: load program: permission denied: x",
                Some(Loader::EbpfGo),
            ),
            (
                "ERROR: Error loading BPF program for kprobe_x_1.",
                Some(Loader::Bpftrace),
            ),
            (
                "bpf: Failed to load program: Invalid argument",
                Some(Loader::Bcc),
            ),
            (
                "Prog section 'a' rejected: Permission denied (13)!",
                Some(Loader::Iproute2),
            ),
            ("Error: failed to load object file", Some(Loader::Bpftool)),
            ("it failed", None),
        ] {
            assert_eq!(find_loader(line), loader, "{line}");
        }
    }
}
