//! The bytes that an eBPF program sent, as a struct.

use anyhow::{Result, anyhow};
use bytemuck::AnyBitPattern;

/// A copy of the struct that `bytes` begin with. Too few bytes are an error; bytes after it, with
/// which the kernel fills up records, are ignored.
pub fn from_bytes<T: AnyBitPattern>(bytes: &[u8]) -> Result<T> {
    let size = size_of::<T>();
    let Some(start) = bytes.get(..size) else {
        let length = bytes.len();
        return Err(anyhow!(
            "a record has {length} bytes, but its struct has {size}"
        ));
    };
    Ok(bytemuck::pod_read_unaligned(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_may_be_longer_than_its_struct_but_not_shorter() {
        let bytes = [1, 0, 0, 0, 9];
        assert_eq!(
            from_bytes::<[u8; 4]>(&bytes).expect("there are enough"),
            [1, 0, 0, 0]
        );
        let error = from_bytes::<[u8; 6]>(&bytes).expect_err("there are too few");
        assert_eq!(
            error.to_string(),
            "a record has 5 bytes, but its struct has 6"
        );
    }
}
