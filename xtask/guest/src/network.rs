//! The network as the kernel tells it (rtnetlink(7)): interfaces, addresses, routes, rules,
//! queueing disciplines.
//!
//! A filter of tc has no line of its own: it hangs on a queueing discipline, and none that takes
//! filters is there before a plan.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socket};

/// What can be asked for: the message's type, and the length of the structure at its head.
#[derive(Clone, Copy)]
struct Question {
    kind: u16,
    head: usize,
}

const LINKS: Question = Question {
    kind: libc::RTM_GETLINK,
    head: 16,
};
const ADDRESSES: Question = Question {
    kind: libc::RTM_GETADDR,
    head: 8,
};
const ROUTES: Question = Question {
    kind: libc::RTM_GETROUTE,
    head: 12,
};
const RULES: Question = Question {
    kind: libc::RTM_GETRULE,
    head: 12,
};
const DISCIPLINES: Question = Question {
    kind: libc::RTM_GETQDISC,
    head: 20,
};

/// Length, type, flags, sequence number and sender, before each message.
const HEADER: usize = 16;

/// From `linux/fib_rules.h` and `linux/rtnetlink.h`.
const FRA_PRIORITY: u16 = 6;
const FRA_TABLE: u16 = 15;
const TCA_KIND: u16 = 1;

/// All of it by name; an interface with its state.
pub fn list_things() -> Result<Vec<(String, Option<String>)>> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .context("cannot open a netlink socket")?;
    let ask = |question| ask(&socket, question).context("cannot ask for the state of the network");
    let (mut things, mut names) = (Vec::new(), BTreeMap::new());
    for link in ask(LINKS)? {
        let (name, state) = link_and_state(&link);
        names.insert(link.head_word(4), name.clone());
        things.push((format!("network interface {name}"), Some(state)));
    }
    let on = |index: u32| {
        names
            .get(&index)
            .map_or_else(String::new, |name| format!(" on {name}"))
    };
    things.extend(ask(ADDRESSES)?.iter().map(|answer| {
        let place = on(answer.head_word(4));
        (
            format!(
                "address {}/{}{place}",
                answer.address(libc::IFA_ADDRESS),
                answer.head[1]
            ),
            None,
        )
    }));
    things.extend(ask(ROUTES)?.iter().map(|answer| {
        let (to, place) = (
            answer.address(libc::RTA_DST),
            on(answer.word(libc::RTA_OIF)),
        );
        let table = answer.word(libc::RTA_TABLE);
        (
            format!("route to {to}/{}{place} in table {table}", answer.head[1]),
            None,
        )
    }));
    things.extend(ask(RULES)?.iter().map(|answer| {
        let (priority, table) = (answer.word(FRA_PRIORITY), answer.word(FRA_TABLE));
        (format!("routing rule {priority} for table {table}"), None)
    }));
    things.extend(ask(DISCIPLINES)?.iter().map(|answer| {
        (
            format!(
                "queueing discipline {}{}",
                answer.text(TCA_KIND),
                on(answer.head_word(4))
            ),
            None,
        )
    }));
    Ok(things)
}

fn link_and_state(link: &NetlinkAnswer) -> (String, String) {
    let flags = link.head_word(8) as i32;
    let up = if flags & libc::IFF_UP == 0 {
        "down"
    } else {
        "up"
    };
    let promiscuous = if flags & libc::IFF_PROMISC == 0 {
        ""
    } else {
        ", promiscuous"
    };
    (
        link.text(libc::IFLA_IFNAME),
        format!("{up}{promiscuous}, mtu {}", link.word(libc::IFLA_MTU)),
    )
}

/// One message of an answer: the structure at its head, then its attributes.
struct NetlinkAnswer {
    head: Vec<u8>,
    attributes: BTreeMap<u16, Vec<u8>>,
}

impl NetlinkAnswer {
    fn parse(payload: &[u8], head: usize) -> Option<Self> {
        let (head, mut rest) = payload.split_at_checked(head)?;
        let mut attributes = BTreeMap::new();
        while let Some((&[a, b, c, d], _)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_ne_bytes([a, b]));
            // The upper bits are flags.
            let kind = u16::from_ne_bytes([c, d]) & 0x3fff;
            attributes.insert(kind, rest.get(4..length)?.to_vec());
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Some(Self {
            head: head.to_vec(),
            attributes,
        })
    }

    fn head_word(&self, at: usize) -> u32 {
        word(self.head.get(at..))
    }

    fn word(&self, kind: u16) -> u32 {
        word(self.attributes.get(&kind).map(Vec::as_slice))
    }

    fn text(&self, kind: u16) -> String {
        let bytes = self
            .attributes
            .get(&kind)
            .map(Vec::as_slice)
            .unwrap_or_default();
        String::from_utf8_lossy(bytes)
            .trim_end_matches('\0')
            .to_owned()
    }

    /// An address of either family; one that is not there stands for all.
    fn address(&self, kind: u16) -> String {
        let bytes = self
            .attributes
            .get(&kind)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let address = <[u8; 4]>::try_from(bytes).map(|v4| IpAddr::from(Ipv4Addr::from(v4)));
        let address =
            address.or_else(|_| <[u8; 16]>::try_from(bytes).map(|v6| Ipv6Addr::from(v6).into()));
        address.map_or_else(|_| "any".to_owned(), |address| address.to_string())
    }
}

fn word(bytes: Option<&[u8]>) -> u32 {
    bytes
        .and_then(<[u8]>::first_chunk)
        .copied()
        .map_or(0, u32::from_ne_bytes)
}

/// Empty where this kernel cannot answer: then there is nothing of the kind.
fn ask(socket: &OwnedFd, question: Question) -> Result<Vec<NetlinkAnswer>> {
    let socket = socket.as_raw_fd();
    send(socket, &request(question), MsgFlags::empty())?;
    let (mut answers, mut buffer) = (Vec::new(), vec![0; 32 << 10]);
    loop {
        let length = recv(socket, buffer.as_mut_slice(), MsgFlags::empty())?;
        let mut rest = &buffer[..length];
        while rest.len() >= HEADER {
            let length = word(Some(rest)) as usize;
            let kind = u16::from_ne_bytes([rest[4], rest[5]]);
            let Some(payload) = rest.get(HEADER..length) else {
                bail!("a message is cut short")
            };
            match i32::from(kind) {
                libc::NLMSG_DONE | libc::NLMSG_ERROR => return Ok(answers),
                _ => answers.extend(NetlinkAnswer::parse(payload, question.head)),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

fn request(question: Question) -> Vec<u8> {
    let length = HEADER + question.head;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend((length as u32).to_ne_bytes());
    bytes.extend(question.kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.resize(length, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_loopback_interface() {
        let things = list_things().unwrap();
        let lo = things
            .iter()
            .find(|(name, _)| name == "network interface lo")
            .unwrap();
        let state = lo.1.as_ref().unwrap();
        assert!(
            state.contains("up, mtu ") || state.contains("down, mtu "),
            "{state}"
        );
        let is_rule = |(name, _): &&(String, _)| name == "routing rule 32766 for table 254";
        assert!(things.iter().any(|thing| is_rule(&thing)), "{things:#?}");
    }

    #[test]
    fn attributes_are_padded_and_may_be_cut() {
        let bytes = [9, 9, 7, 0, 3, 0, b'l', b'o', 0, 0, 8, 0, 4, 0, 1, 2, 0, 0];
        let answer = NetlinkAnswer::parse(&bytes, 2).unwrap();
        assert_eq!((answer.text(3), answer.word(4)), ("lo".to_owned(), 0x201));
        assert!(NetlinkAnswer::parse(&bytes[..16], 2).is_none());
        assert!(NetlinkAnswer::parse(&[], 2).is_none());
    }
}
