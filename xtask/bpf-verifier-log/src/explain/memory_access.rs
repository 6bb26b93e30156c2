//! An access that leaves its memory, as the message counts it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use crate::explain::words::format_bytes;
use crate::grammar::words::find_number_after;
use crate::log::message::LogMessage;

/// `invalid access to map value, value_size=48 off=65 size=1`
pub struct MemoryAccess {
    /// How many bytes the memory has.
    area: i64,
    offset: i64,
    size: i64,
}

impl MemoryAccess {
    pub fn read_access(lines: &[LogMessage]) -> Option<Self> {
        const AREAS: [&str; 4] = ["value_size=", "mem_size=", "key_size=", "ctx_size="];
        for line in lines {
            let after = |name: &str| find_number_after(&line.text, name);
            if let (Some(offset), Some(size)) = (after("off="), after("size=")) {
                return Some(Self {
                    area: AREAS.iter().find_map(|name| after(name))?,
                    offset,
                    size,
                });
            }
        }
        None
    }

    /// What the verifier computed, as a sentence.
    pub fn describe_access(&self) -> String {
        let Self { area, offset, size } = self;
        if *offset < 0 {
            return format!(
                "In the worst case the access begins at offset {offset}, in front of the {}.",
                format_bytes(*area)
            );
        }
        let end = offset.saturating_add(*size);
        let (size, area) = (format_bytes(*size), format_bytes(*area));
        format!(
            "In the worst case the access of {size} begins at offset {offset} and ends at {end}, \
             of {area}."
        )
    }

    /// How small the numbers must be that were added, where `most` is what they can be now, if
    /// that is known. `has_length`: a call makes the access, and its length may vary too.
    pub fn describe_missing(
        &self,
        most: Option<u64>,
        are_several: bool,
        has_length: bool,
    ) -> Option<String> {
        if self.offset < 0 {
            return Some("a check that the index is not negative".to_owned());
        }
        let end = self.offset.saturating_add(self.size);
        let beyond = u64::try_from(end.saturating_sub(self.area)).ok()?;
        let most = most.filter(|&most| most > 0)?;
        if has_length {
            let constant = u64::try_from(self.offset).ok()?.checked_sub(most)?;
            let room = u64::try_from(self.area).ok()?.checked_sub(constant)?;
            return Some(format!(
                "a check that what is added to the pointer and the length of the access are at \
                 most {room} together"
            ));
        }
        let allowed = most.checked_sub(beyond)?;
        Some(if are_several {
            format!("a check that the numbers which are added are at most {allowed} together")
        } else {
            format!("a check that the number which is added is at most {allowed}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_follows_from_what_is_too_much() {
        let access = MemoryAccess {
            area: 16,
            offset: 263,
            size: 1,
        };
        assert_eq!(
            access.describe_missing(Some(255), false, false).as_deref(),
            Some("a check that the number which is added is at most 7")
        );
        assert_eq!(
            access.describe_missing(Some(4), false, false),
            None,
            "it does not come from the number"
        );
        assert_eq!(
            access.describe_missing(Some(255), false, true).as_deref(),
            Some(
                "a check that what is added to the pointer and the length of the access are at \
                 most 8 together"
            )
        );
        let before = MemoryAccess {
            offset: -1,
            ..access
        };
        assert_eq!(
            before.describe_missing(None, false, false).as_deref(),
            Some("a check that the index is not negative")
        );
    }
}
