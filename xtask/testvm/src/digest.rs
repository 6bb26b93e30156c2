//! A hash for names on disk. It stays the same whatever compiles this program; that of the standard
//! library may change with each compiler.

use xxhash_rust::xxh3::Xxh3Default;

#[derive(Default)]
pub struct Digest(Xxh3Default);

impl Digest {
    /// With its length, so that what is added in two parts is not the same as in one.
    pub fn add_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub fn digest_value(&self) -> u64 {
        self.0.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(parts: &[&str]) -> u64 {
        let mut digest = Digest::default();
        parts.iter().for_each(|part| digest.add_bytes(part));
        digest.digest_value()
    }

    #[test]
    fn names_on_disk_stay_the_same() {
        assert_eq!(digest(&["6.12", "vmlinux"]), 4_624_940_077_982_415_352);
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }
}
