//! What the name of a section says about attaching.

use std::fmt;

/// `kprobe/do_unlinkat+0x10`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SectionName<'a> {
    /// `kprobe`
    pub kind: &'a str,
    /// What comes after the first slash, unless it is empty.
    pub place: Option<&'a str>,
}

impl<'a> SectionName<'a> {
    /// What a user names as the target takes the place of the section's own.
    pub fn parse(name: &'a str, target: Option<&'a str>) -> Self {
        // libbpf ignores a question mark in front: "do not load this by default".
        let name = name.strip_prefix('?').unwrap_or(name);
        let (kind, place) = name.split_once('/').unwrap_or((name, ""));
        Self {
            kind,
            place: target.or((!place.is_empty()).then_some(place)),
        }
    }
}

/// A function, with a place in it: `vfs_read`, `vfs_read+0x10`, `veth:veth_xmit`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FunctionPlace<'a> {
    pub module: Option<&'a str>,
    pub function: &'a str,
    pub offset: u64,
}

impl<'a> FunctionPlace<'a> {
    /// `None`: what follows the plus is not a number.
    pub fn parse(place: &'a str) -> Option<Self> {
        // libbpf, too, reads no further than a name can go.
        let is_part = |byte: char| byte.is_ascii_alphanumeric() || "_.:+".contains(byte);
        let end = place.find(|byte| !is_part(byte)).unwrap_or(place.len());
        let (function, offset) = split_offset(&place[..end])?;
        let (module, function) = match function.split_once(':') {
            Some((module, function)) => (Some(module), function),
            None => (None, function),
        };
        Some(Self {
            module,
            function,
            offset,
        })
    }
}

impl fmt::Display for FunctionPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(module) = self.module {
            write!(f, "{module}:")?;
        }
        f.write_str(self.function)?;
        match self.offset {
            0 => Ok(()),
            offset => write!(f, "+{offset:#x}"),
        }
    }
}

/// `vfs_read+0x10`: the offset is decimal, or hexadecimal after `0x`.
pub fn split_offset(place: &str) -> Option<(&str, u64)> {
    let Some((name, offset)) = place.rsplit_once('+') else {
        return Some((place, 0));
    };
    let offset = match offset.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => offset.parse(),
    };
    Some((name, offset.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_takes_the_place_of_the_sections() {
        let parse = |name, target| {
            let section = SectionName::parse(name, target);
            (section.kind, section.place)
        };
        assert_eq!(parse("kprobe/f", None), ("kprobe", Some("f")));
        assert_eq!(parse("?kprobe/f", None), ("kprobe", Some("f")));
        assert_eq!(parse("kprobe/f", Some("g")), ("kprobe", Some("g")));
        assert_eq!(parse("kprobe", None), ("kprobe", None));
        assert_eq!(parse("kprobe/", None), ("kprobe", None));
        assert_eq!(
            parse("uprobe//bin/a b:f", None),
            ("uprobe", Some("/bin/a b:f"))
        );
    }

    #[test]
    fn offsets_and_modules() {
        let parse = |place| {
            FunctionPlace::parse(place).map(|place| (place.module, place.function, place.offset))
        };
        assert_eq!(parse("vfs_read"), Some((None, "vfs_read", 0)));
        assert_eq!(parse("vfs_read+0x10"), Some((None, "vfs_read", 16)));
        assert_eq!(parse("vfs_read+10"), Some((None, "vfs_read", 10)));
        assert_eq!(parse("vfs_read+ten"), None);
        assert_eq!(parse("vfs_read/mine"), Some((None, "vfs_read", 0)));
        let in_module = Some((Some("veth"), "veth_xmit", 4));
        assert_eq!(parse("veth:veth_xmit+4"), in_module);
        for place in ["vfs_read", "vfs_read+0x10", "veth:veth_xmit+0x4"] {
            assert_eq!(FunctionPlace::parse(place).unwrap().to_string(), place);
        }
    }
}
