//! The uncompressed kernel in an image of Debian's.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use kernel::{Architecture, is_arm64_image, is_bzimage};

/// What QEMU boots soonest, and what its file is called.
pub fn unpack_image(vmlinuz: &[u8], architecture: Architecture) -> Result<(&'static str, Vec<u8>)> {
    match architecture {
        Architecture::Amd64 => Ok(("vmlinux", extract_vmlinux(vmlinuz)?)),
        Architecture::Arm64 => Ok(("Image", take_image(vmlinuz)?)),
    }
}

/// What the file is called of an image that cannot be unpacked.
pub fn compressed_name(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "bzImage",
        Architecture::Arm64 => "vmlinuz",
    }
}

/// Debian does not compress those of arm64, in any of the series.
fn take_image(vmlinuz: &[u8]) -> Result<Vec<u8>> {
    ensure!(is_arm64_image(vmlinuz), "not an uncompressed arm64 Image");
    Ok(vmlinuz.to_vec())
}

/// The vmlinux inside `bzimage`: Debian compresses 5.10 and 6.1 with lz4, later kernels with zstd.
fn extract_vmlinux(bzimage: &[u8]) -> Result<Vec<u8>> {
    let payload = payload(bzimage)?;
    let vmlinux = match payload {
        [0x02, 0x21, 0x4c, 0x18, blocks @ ..] => lz4_legacy(blocks)?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd(payload)?,
        _ => bail!("unknown compression of the kernel"),
    };
    ensure!(
        vmlinux.starts_with(b"\x7fELF"),
        "what was unpacked is not a vmlinux"
    );
    Ok(vmlinux)
}

/// The compressed kernel; offsets from Documentation/arch/x86/boot.rst.
fn payload(bzimage: &[u8]) -> Result<&[u8]> {
    ensure!(
        is_bzimage(bzimage) && bzimage.len() > 0x250,
        "not a bzImage"
    );
    let word = |at: usize| -> Result<usize> {
        let bytes = bzimage.get(at..at + 4).context("the header is cut off")?;
        Ok(u32::from_le_bytes(bytes.try_into()?) as usize)
    };
    // Zero means four sectors in the oldest boot loaders' protocol.
    let setup_sectors = match bzimage[0x1f1] {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (setup_sectors + 1) * 512 + word(0x248)?;
    let end = start + word(0x24c)?;
    bzimage.get(start..end).context("the image is cut off")
}

/// Blocks of at most 8 MiB, each after its compressed size; the kernel's build adds the unpacked
/// size at the end.
fn lz4_legacy(mut blocks: &[u8]) -> Result<Vec<u8>> {
    const BLOCK: usize = 8 << 20;
    let mut out = Vec::new();
    let mut block = vec![0; BLOCK];
    while let Some((size, rest)) = blocks.split_first_chunk::<4>() {
        if rest.is_empty() {
            ensure!(
                out.len() == u32::from_le_bytes(*size) as usize,
                "the unpacked size differs"
            );
            return Ok(out);
        }
        let (packed, rest) = rest
            .split_at_checked(u32::from_le_bytes(*size) as usize)
            .context("a block is cut off")?;
        let unpacked =
            lz4_flex::block::decompress_into(packed, &mut block).context("cannot unpack lz4")?;
        out.extend_from_slice(&block[..unpacked]);
        blocks = rest;
    }
    bail!("the unpacked size is missing")
}

fn zstd(payload: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(payload)
        .context("cannot read the zstd header")?
        .read_to_end(&mut out)
        .context("cannot unpack zstd")?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage of two sectors of set-up and `payload` straight after them.
    fn bzimage(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend_from_slice(payload);
        image
    }

    fn lz4(content: &[u8], claimed: u32) -> Vec<u8> {
        let packed = lz4_flex::block::compress(content);
        let mut payload = vec![0x02, 0x21, 0x4c, 0x18];
        payload.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        payload.extend_from_slice(&packed);
        payload.extend_from_slice(&claimed.to_le_bytes());
        payload
    }

    #[test]
    fn lz4_kernel_is_cut_out() {
        let vmlinux = [&b"\x7fELF"[..], &[7; 5000]].concat();
        assert_eq!(
            extract_vmlinux(&bzimage(&lz4(&vmlinux, 5004))).unwrap(),
            vmlinux
        );
    }

    #[test]
    fn an_image_of_arm64_is_taken_as_it_is() {
        let mut image = vec![0; 0x38];
        image.extend_from_slice(b"ARM\x64");
        let unpacked = unpack_image(&image, Architecture::Arm64).unwrap();
        assert_eq!(unpacked, ("Image", image));
        let gzip = unpack_image(b"\x1f\x8b gzip", Architecture::Arm64);
        assert!(gzip.unwrap_err().to_string().contains("arm64 Image"));
    }

    #[test]
    fn damage_is_noticed() {
        let vmlinux = [&b"\x7fELF"[..], &[7; 5000]].concat();
        let whole = bzimage(&lz4(&vmlinux, 5004));
        assert!(
            extract_vmlinux(&whole[..whole.len() - 1]).is_err(),
            "cut off"
        );
        assert!(
            extract_vmlinux(&bzimage(&lz4(&vmlinux, 5003))).is_err(),
            "wrong size"
        );
        assert!(
            extract_vmlinux(&bzimage(&lz4(b"not an ELF file", 15))).is_err(),
            "not a vmlinux"
        );
        assert!(
            extract_vmlinux(&bzimage(b"\x1f\x8b gzip")).is_err(),
            "unknown compression"
        );
        assert!(extract_vmlinux(b"short").is_err(), "not a bzImage");
    }
}
