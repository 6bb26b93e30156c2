//! What the verifier knows of a number: its least and greatest value, and which bits may be set.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

/// The range of a number, as signed and as unsigned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Bounds {
    pub smin: i64,
    pub smax: i64,
    pub umin: u64,
    pub umax: u64,
    /// The bits that are known to be set.
    pub known: u64,
    /// The bits that are not known.
    pub mask: u64,
}

impl Bounds {
    pub const UNKNOWN: Self = Self {
        smin: i64::MIN,
        smax: i64::MAX,
        umin: 0,
        umax: u64::MAX,
        known: 0,
        mask: u64::MAX,
    };

    pub fn from_constant(value: i64) -> Self {
        let unsigned = value.cast_unsigned();
        Self {
            smin: value,
            smax: value,
            umin: unsigned,
            umax: unsigned,
            known: unsigned,
            mask: 0,
        }
    }

    pub fn as_constant(&self) -> Option<i64> {
        (self.umin == self.umax).then_some(self.smin)
    }

    pub fn is_unknown(&self) -> bool {
        *self == Self::UNKNOWN
    }

    /// The log leaves out what follows from the rest.
    pub fn settle_bounds(&mut self) {
        if self.umax <= i64::MAX.cast_unsigned() {
            self.smin = self.smin.max(self.umin.cast_signed());
            self.smax = self.smax.min(self.umax.cast_signed());
        }
        if self.smin >= 0 {
            self.umin = self.umin.max(self.smin.cast_unsigned());
            self.umax = self.umax.min(self.smax.max(0).cast_unsigned());
        }
    }

    /// As a reader would say it: `between 0 and 255`.
    pub fn describe_bounds(&self) -> String {
        if let Some(value) = self.as_constant() {
            return format!("exactly {value}");
        }
        let most = i64::MAX.cast_unsigned();
        match (self.smin < 0, self.umax > most) {
            _ if self.is_unknown() => "any number: nothing is known of it".to_owned(),
            (false, _) => format!("between {} and {}", self.smin, readable(self.umax)),
            (true, true) if self.smin == i64::MIN && self.smax == i64::MAX => {
                format!(
                    "between {} and {} without sign",
                    readable(self.umin),
                    readable(self.umax)
                )
            }
            (true, _) if self.smin == i64::MIN => {
                format!("at most {}, with no lower limit", self.smax)
            }
            (true, _) if self.smax == i64::MAX => {
                format!("at least {}, with no upper limit", self.smin)
            }
            (true, _) => format!("between {} and {}", self.smin, self.smax),
        }
    }
}

/// Large limits are known by their hexadecimal face.
fn readable(value: u64) -> String {
    match value {
        u64::MAX => "2^64-1".to_owned(),
        0x7fff_ffff_ffff_ffff => "2^63-1".to_owned(),
        0x7fff_ffff.. => format!("{value:#x}"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_follows() {
        let mut bounds = Bounds {
            umax: 255,
            ..Bounds::UNKNOWN
        };
        bounds.settle_bounds();
        assert_eq!((bounds.smin, bounds.smax), (0, 255));
        let mut bounds = Bounds {
            smin: 3,
            smax: 9,
            ..Bounds::UNKNOWN
        };
        bounds.settle_bounds();
        assert_eq!((bounds.umin, bounds.umax), (3, 9));
    }

    #[test]
    fn bounds_in_words() {
        assert_eq!(Bounds::from_constant(-8).describe_bounds(), "exactly -8");
        assert_eq!(
            Bounds::UNKNOWN.describe_bounds(),
            "any number: nothing is known of it"
        );
        let words = |smin, smax| {
            Bounds {
                smin,
                smax,
                ..Bounds::UNKNOWN
            }
            .describe_bounds()
        };
        assert_eq!(words(i64::MIN, 4095), "at most 4095, with no lower limit");
        assert_eq!(words(-1, i64::MAX), "at least -1, with no upper limit");
        assert_eq!(words(-4095, 4095), "between -4095 and 4095");
        let mut byte = Bounds {
            umax: 255,
            ..Bounds::UNKNOWN
        };
        byte.settle_bounds();
        assert_eq!(byte.describe_bounds(), "between 0 and 255");
        let mut int = Bounds {
            umax: 0xffff_ffff,
            ..Bounds::UNKNOWN
        };
        int.settle_bounds();
        assert_eq!(int.describe_bounds(), "between 0 and 0xffffffff");
    }
}
