//! What libraries say about objects that they could not load, with what a user can do about it.

use std::fs;

/// Adds the remedy, where the words tell of something that the guest lacks and the kernel does not.
pub fn explain_failure(said: String) -> String {
    let hint = if said.contains("failed to open system Kconfig") {
        "libbpf reads externs marked __kconfig from /boot/config-RELEASE or /proc/config.gz, and \
         this guest has neither"
            .to_owned()
    } else if is_out_of_memory(&said) {
        let size = memory_size().map_or_else(
            || "too little memory".to_owned(),
            |megabytes| format!("{megabytes} MiB"),
        );
        format!("this VM has {size}; --memory MIB gives it more")
    } else {
        return said;
    };
    format!("{said}\n{hint}")
}

/// In libbpf's words, or in aya's.
fn is_out_of_memory(said: &str) -> bool {
    let names_map = said.contains("failed to create") || said.contains("map");
    names_map && (said.contains("-ENOMEM") || said.contains("(os error 12)"))
}

/// The memory of this machine in MiB, with what the kernel took for itself.
fn memory_size() -> Option<u64> {
    let ranges = fs::read_to_string("/proc/iomem").ok()?;
    let bytes: u64 = ranges.lines().filter_map(parse_range).sum();
    (bytes > 0).then(|| bytes.div_ceil(1 << 20))
}

/// `00100000-0ffdffff : System RAM`
fn parse_range(line: &str) -> Option<u64> {
    let (range, name) = line.split_once(" : ")?;
    if name != "System RAM" {
        return None;
    }
    let (first, last) = range.split_once('-')?;
    let parse = |number| u64::from_str_radix(number, 16).ok();
    (parse(last)? + 1).checked_sub(parse(first)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_memory_is_counted() {
        assert_eq!(
            parse_range("00100000-0ffdffff : System RAM"),
            Some(0xfee_0000)
        );
        assert_eq!(parse_range("00100000-0ffdffff : Reserved"), None);
        assert_eq!(parse_range("  01000000-01bfffff : Kernel code"), None);
    }

    #[test]
    fn only_what_is_known_gets_a_remedy() {
        let explain = |said: &str| explain_failure(said.to_owned());
        assert_eq!(explain("libbpf: something else"), "libbpf: something else");
        let kconfig = explain("libbpf: failed to open system Kconfig");
        assert!(kconfig.contains("\nlibbpf reads externs marked __kconfig from /boot/config-"));
        let memory = explain("libbpf: map 'rings': failed to create: -ENOMEM");
        assert!(memory.contains("; --memory MIB gives it more"), "{memory}");
    }
}
