//! What a kernel tells of one of its functions.

/// A function, or functions of the same name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KernelFunction {
    /// From BTF, the name in them as `@`. Several: functions of the same name differ. None: BTF
    /// does not describe it.
    signatures: Vec<String>,
    /// ftrace can trace it.
    pub is_traceable: bool,
    /// Although it can be traced, the kernel attaches no kprobe to it.
    pub refuses_kprobes: bool,
    /// How many functions have this name.
    pub count: usize,
    /// There is a function of exactly this name, and not only copies of it, or only a description
    /// in BTF: of kfuncs whose last arguments the verifier adds.
    pub has_symbol: bool,
    /// The names of copies that the compiler changed: `.isra.0`, `.constprop.0`, `.part.0`.
    pub copies: Vec<String>,
    /// This kernel attaches BPF trampolines. Of the kernel, and so not stored.
    pub has_trampolines: bool,
}

const TRACEABLE: char = 't';
const NO_KPROBE: char = 'k';
const NO_SYMBOL: char = 'n';

/// Between the parts of what is stored, and between those of a part. Neither is in a declaration.
const PART: char = ';';
const ITEM: char = '|';

impl KernelFunction {
    pub fn add_signature(&mut self, signature: &str) {
        if !self.signatures.iter().any(|other| other == signature) {
            self.signatures.push(signature.to_owned());
            self.signatures.sort();
        }
    }

    /// As C writes them, with the function's name.
    pub fn format_signatures(&self, name: &str) -> Vec<String> {
        let signatures = self.signatures.iter();
        signatures.map(|it| it.replacen('@', name, 1)).collect()
    }

    /// Whether BTF describes it: without that, no fentry program can be attached.
    pub fn is_in_btf(&self) -> bool {
        !self.signatures.is_empty()
    }

    pub fn takes_kprobe(&self) -> bool {
        // The kernel does not choose among several of one name.
        self.is_traceable && !self.refuses_kprobes && self.count <= 1
    }

    pub fn takes_fentry(&self) -> bool {
        self.is_traceable && self.is_in_btf() && self.has_trampolines
    }

    pub fn format_value(&self) -> String {
        let mut value = String::new();
        let flags = [
            (self.is_traceable, TRACEABLE),
            (self.refuses_kprobes, NO_KPROBE),
            (!self.has_symbol, NO_SYMBOL),
        ];
        value.extend(flags.iter().filter(|(is_set, _)| *is_set).map(|it| it.1));
        if self.count > 1 {
            value += &self.count.to_string();
        }
        let copies = self.copies.join("|");
        let signatures = self.signatures.join("|");
        format!("{value}{PART}{copies}{PART}{signatures}")
    }

    /// What [`Self::format_value`] wrote.
    pub fn parse_value(value: &str) -> Option<Self> {
        let mut parts = value.split(PART);
        let (flags, copies, signatures) = (parts.next()?, parts.next()?, parts.next()?);
        let items = |part: &str| {
            let items = part.split(ITEM).filter(|item| !item.is_empty());
            items.map(str::to_owned).collect()
        };
        let count = flags.trim_start_matches(|c: char| !c.is_ascii_digit());
        Some(Self {
            signatures: items(signatures),
            is_traceable: flags.contains(TRACEABLE),
            refuses_kprobes: flags.contains(NO_KPROBE),
            count: count.parse().unwrap_or(1),
            has_symbol: !flags.contains(NO_SYMBOL),
            copies: items(copies),
            has_trampolines: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut function = KernelFunction {
            is_traceable: true,
            refuses_kprobes: true,
            count: 2,
            has_symbol: true,
            copies: vec![".isra.0".to_owned(), ".part.0".to_owned()],
            has_trampolines: true,
            ..KernelFunction::default()
        };
        for signature in ["void @(void)", "int @(int a)", "int @(int a)"] {
            function.add_signature(signature);
        }
        let value = function.format_value();
        assert_eq!(value, "tk2;.isra.0|.part.0;int @(int a)|void @(void)");
        assert_eq!(KernelFunction::parse_value(&value), Some(function.clone()));
        assert_eq!(
            function.format_signatures("f"),
            ["int f(int a)", "void f(void)"]
        );
        assert_eq!(KernelFunction::parse_value("t"), None);
    }

    #[test]
    fn what_can_be_attached_follows_from_what_is_there() {
        let with = |value| KernelFunction::parse_value(value).unwrap();
        let plain = with("t;;int @(void)");
        assert!(plain.takes_kprobe() && plain.takes_fentry());
        let unknown_to_btf = with("t;;");
        assert!(unknown_to_btf.takes_kprobe() && !unknown_to_btf.takes_fentry());
        let refusing = with("tk;;int @(void)");
        assert!(!refusing.takes_kprobe() && refusing.takes_fentry());
        let without_trampolines = KernelFunction {
            has_trampolines: false,
            ..plain
        };
        assert!(without_trampolines.takes_kprobe() && !without_trampolines.takes_fentry());
        for value in [";;int @(void)", "n;.isra.0;int @(void)"] {
            assert!(!with(value).takes_kprobe() && !with(value).takes_fentry());
        }
    }
}
