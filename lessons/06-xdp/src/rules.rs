//! Whose frames are dropped, and the exceptions: from the command line and from a file that may
//! change.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ipnet::IpNet;

use crate::fault;
use crate::firewall::Firewall;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Drop,
    /// An exception from a shorter prefix: the longest prefix that fits decides.
    Pass,
}

impl Action {
    /// As the kernel side has it: XDP_DROP or XDP_PASS.
    pub fn verdict(self) -> u32 {
        match self {
            Self::Drop => 1,
            Self::Pass => 2,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Pass => "pass",
        }
    }
}

/// What is in the kernel, or shall be.
pub type Rules = BTreeMap<IpNet, Action>;

/// An address alone means just that address.
pub fn prefix(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let net: IpNet = text.parse().map_err(|_| {
        "an address and a length are wanted, as in 10.0.0.0/8 or fd00::/8".to_owned()
    })?;
    let whole = net.trunc();
    if net != whole {
        return Err(format!(
            "it has bits beyond its length; {whole} and {} are possible",
            net.addr()
        ));
    }
    Ok(net)
}

/// A prefix a line; `allow` before it makes it an exception; what follows a # is ignored.
pub fn read(path: &Path) -> Result<Rules> {
    let text =
        fs::read_to_string(path).with_context(|| format!("read the list {}", path.display()))?;
    parse(&text).with_context(|| format!("understand the list {}", path.display()))
}

fn parse(text: &str) -> Result<Rules> {
    let mut rules = Rules::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words: Vec<_> = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let (action, text) = match words[..] {
            [] => continue,
            [text] | ["block", text] => (Action::Drop, text),
            ["allow", text] => (Action::Pass, text),
            _ => bail!("line {number}: '[block|allow] CIDR' is wanted"),
        };
        match prefix(text) {
            Ok(prefix) => drop(rules.insert(prefix, action)),
            Err(why) => bail!(
                "line {number}: '{}': {why}",
                common::text::printable(text.as_bytes())
            ),
        }
    }
    Ok(rules)
}

/// Makes the kernel's rules these ones, while the program runs, and tells each change. What goes is
/// removed first, so that there is room for what comes.
pub fn apply(
    firewall: &mut dyn Firewall,
    current: &mut Rules,
    wanted: &Rules,
    max_rules: u32,
    mut tell: impl FnMut(&str, IpNet, Action) -> Result<()>,
) -> Result<()> {
    let gone: Vec<_> = current
        .iter()
        .map(|(&prefix, &action)| (prefix, action))
        .collect();
    for (prefix, action) in gone {
        if !wanted.contains_key(&prefix) {
            firewall
                .remove_rule(prefix)
                .with_context(|| format!("remove the rule for {prefix}"))?;
            current.remove(&prefix);
            tell("removed", prefix, action)?;
        }
    }
    for (&prefix, &action) in wanted {
        if current.get(&prefix) != Some(&action) {
            let is_full = is_full(current, prefix, max_rules);
            firewall
                .set_rule(prefix, action)
                .map_err(|error| fault::of_rule(error, prefix, is_full))?;
            current.insert(prefix, action);
            tell("set", prefix, action)?;
        }
    }
    Ok(())
}

/// Whether the table that this prefix would go into has no room.
fn is_full(current: &Rules, prefix: IpNet, max_rules: u32) -> bool {
    let v4 = prefix.addr().is_ipv4();
    let count = current
        .keys()
        .filter(|other| other.addr().is_ipv4() == v4)
        .count();
    count >= max_rules as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn an_address_is_a_prefix_of_full_length() {
        assert_eq!(prefix("10.0.0.1"), Ok(net("10.0.0.1/32")));
        assert_eq!(prefix("fd00::1"), Ok(net("fd00::1/128")));
        assert_eq!(prefix("0.0.0.0/0"), Ok(net("0.0.0.0/0")));
    }

    #[test]
    fn what_is_no_prefix_is_refused_with_a_reason() {
        for text in [
            "",
            "/",
            "10.0.0.0/33",
            "10.0.0/8",
            "fd00::/129",
            "10.0.0.0/-1",
            "host",
            "10.0.0.0/8 ",
        ] {
            assert!(
                prefix(text).expect_err(text).contains("10.0.0.0/8"),
                "{text}"
            );
        }
        let beyond = prefix("10.1.2.3/8").expect_err("it has bits beyond");
        assert!(
            beyond.contains("10.0.0.0/8 and 10.1.2.3 are possible"),
            "{beyond}"
        );
    }

    #[test]
    fn a_list_has_blocks_exceptions_and_comments() {
        let rules = parse("# all\n10.0.0.0/8 # ten\n\nallow 10.0.0.1\n  block fd00::/8\n")
            .expect("it is right");
        let expected = [
            ("10.0.0.0/8", Action::Drop),
            ("10.0.0.1/32", Action::Pass),
            ("fd00::/8", Action::Drop),
        ];
        assert_eq!(
            rules,
            expected.map(|(text, action)| (net(text), action)).into()
        );
    }

    #[test]
    fn a_wrong_line_is_named() {
        for text in [
            "10.0.0.0/8\nnonsense",
            "\npermit 10.0.0.1",
            "#\n10.0.0.0/8 10.0.0.1",
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with("line 2: "), "{error}");
        }
        let error = parse("\x1b[2J").expect_err("an escape").to_string();
        assert!(!error.contains('\x1b'), "{error}");
    }
}
