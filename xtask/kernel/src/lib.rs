//! A kernel the course can boot: where its image is, what it calls itself, where its modules are.
//!
//! Those of the matrix are fetched by set-up (the crate `requirements`); any other comes from a
//! file of the user's.
//!
//! ```text
//!   MATRIX         the kernels of the course, oldest first
//!   ARM64_MATRIX   those of them that it is tested on for arm64
//!   SERIES         every series that Debian has, those of the course among them
//!   Kernel         one that is here, with its modules
//!   KernelImage    what an image says about itself
//!   Architecture   what is called differently on amd64 and arm64
//!   Version        the order of versions: of kernels, of their packages, of QEMU
//! ```

mod architecture;
mod version;

use std::fs::File;
use std::io::{BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
pub use architecture::Architecture;
use nix::sys::utsname::uname;
use problem::Problem;
pub use version::{Version, is_older};

/// The kernels that every lesson is tested on, oldest first.
pub const MATRIX: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.3"];
/// Of these, the kernels that every lesson is tested on for arm64: all of them would take as long
/// again.
pub const ARM64_MATRIX: [&str; 3] = ["5.10", DEFAULT, "7.3"];
/// Every series of Linux that Debian's archive has, oldest first.
pub const SERIES: [&str; 11] = [
    "5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3",
];
/// The kernel that is booted unless another is asked for.
pub const DEFAULT: &str = "6.12";

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kernel {
    /// "6.12" for a series of Debian's, else the name of the user's file.
    pub name: String,
    pub architecture: Architecture,
    /// What `uname -r` says in the guest.
    pub release: String,
    /// Where it came from, for reports.
    pub origin: String,
    /// An uncompressed vmlinux where there is one (it boots about 1 s sooner under TCG), else a
    /// bzImage; an Image for arm64.
    pub image: PathBuf,
    /// `.../lib/modules/RELEASE`; `None` when the kernel came without modules.
    pub modules: Option<PathBuf>,
    /// Its build's configuration (`CONFIG_HZ=250`), which libbpf reads from `/boot` for externs in
    /// the section `.kconfig`.
    pub config: Option<PathBuf>,
}

impl Kernel {
    /// A kernel of the user's own: a bzImage, a vmlinux or an arm64 Image, with its modules where
    /// distributions put them.
    pub fn from_file(path: &Path) -> Result<Self> {
        let KernelImage {
            architecture,
            release,
        } = identify_file(path)?;
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let modules = Path::new("/lib/modules").join(&release);
        let config = Path::new("/boot").join(format!("config-{release}"));
        Ok(Self {
            name,
            architecture,
            origin: format!("{} ({release})", path.display()),
            image: path
                .canonicalize()
                .with_context(|| format!("cannot resolve {}", path.display()))?,
            modules: modules.is_dir().then_some(modules),
            config: config.is_file().then_some(config),
            release,
        })
    }
}

/// The release of this machine's own kernel, which runs xtask.
pub fn running_release() -> String {
    let Ok(system) = uname() else {
        unreachable!("uname fails only for a bad address");
    };
    system.release().to_string_lossy().into_owned()
}

fn identify_file(path: &Path) -> Result<KernelImage> {
    let unreadable = |error: std::io::Error| {
        Problem::machine(format!(
            "cannot read the kernel {}: {error}",
            path.display()
        ))
        .help(
            "distributions keep /boot/vmlinuz-* for root: copy it, and give yourself the right to \
             read the copy",
        )
    };
    let mut file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Problem::usage(format!("there is no kernel {}", path.display())).help(
                "--kernel takes a series such as 6.12, 'all', or the path of a bzImage, vmlinux or \
                 arm64 Image",
            )
        }
        _ => unreadable(error),
    })?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(
            Problem::usage(format!("{} is a directory, not a kernel", path.display())).into(),
        );
    }
    identify_image(&mut file)
        .map_err(unreadable)?
        .ok_or_else(|| {
            Problem::usage(format!(
                "{} is not a kernel: neither an x86-64 bzImage or vmlinux nor an arm64 Image",
                path.display()
            ))
            .help(
                "a distribution's kernel is /boot/vmlinuz-RELEASE; one you built is \
             arch/x86/boot/bzImage, vmlinux or arch/arm64/boot/Image",
            )
            .into()
        })
}

/// What the image of a kernel says about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelImage {
    pub architecture: Architecture,
    pub release: String,
}

/// `None` if it is no image that can be booted here.
pub fn identify_image(image: &mut (impl Read + Seek)) -> std::io::Result<Option<KernelImage>> {
    let mut head = Vec::new();
    image.by_ref().take(HEADER).read_to_end(&mut head)?;
    let (architecture, release) = if is_bzimage(&head) {
        (Architecture::Amd64, release_in_bzimage(image, &head)?)
    } else if is_amd64_vmlinux(&head) {
        (Architecture::Amd64, release_in_banner(image)?)
    } else if is_arm64_image(&head) {
        (Architecture::Arm64, release_in_banner(image)?)
    } else {
        return Ok(None);
    };
    Ok(release.map(|release| KernelImage {
        architecture,
        release,
    }))
}

/// Up to where the boot header's fields used here reach (Documentation/arch/x86/boot.rst).
const HEADER: u64 = 0x300;

/// Whether a file that begins so is a bzImage.
pub fn is_bzimage(head: &[u8]) -> bool {
    head.get(0x202..0x206) == Some(b"HdrS")
}

/// QEMU boots an ELF file of arm64 at its virtual addresses, where there is no memory.
fn is_amd64_vmlinux(head: &[u8]) -> bool {
    let machine = head.get(0x12..0x14).and_then(|bytes| bytes.try_into().ok());
    let architecture = machine
        .map(u16::from_le_bytes)
        .and_then(Architecture::of_elf_machine);
    head.starts_with(b"\x7fELF") && architecture != Some(Architecture::Arm64)
}

/// Whether a file that begins so is an uncompressed kernel of arm64
/// (Documentation/arch/arm64/booting.rst).
pub fn is_arm64_image(head: &[u8]) -> bool {
    head.get(0x38..0x3c) == Some(b"ARM\x64")
}

/// The header's `kernel_version` field points to the text "RELEASE (builder) #1 SMP ...", 0x200
/// bytes further on.
fn release_in_bzimage(
    file: &mut (impl Read + Seek),
    head: &[u8],
) -> std::io::Result<Option<String>> {
    let pointer = match head.get(0x20e..0x210) {
        Some(&[low, high]) if (low, high) != (0, 0) => u16::from_le_bytes([low, high]),
        _ => return Ok(None),
    };
    file.seek(SeekFrom::Start(u64::from(pointer) + 0x200))?;
    let mut text = Vec::new();
    file.take(256).read_to_end(&mut text)?;
    Ok(release_at(&text))
}

/// Neither a vmlinux nor an Image has a header that names the release; its banner, the first line
/// of every kernel log, does.
fn release_in_banner(file: &mut (impl Read + Seek)) -> std::io::Result<Option<String>> {
    // Debug information, which can be ten times the size of the kernel, comes after all that is
    // loaded.
    const ENOUGH: u64 = 256 << 20;
    file.seek(SeekFrom::Start(0))?;
    let mut image = Vec::new();
    file.take(ENOUGH).read_to_end(&mut image)?;
    let mut rest = image.as_slice();
    // Jumping from one "L" to the next lets the optimised search of the standard library do the
    // work.
    while rest.skip_until(b'L')? != 0 {
        if let Some(banner) = rest.strip_prefix(b"inux version ")
            && banner.first().is_some_and(u8::is_ascii_digit)
        {
            return Ok(release_at(banner));
        }
    }
    Ok(None)
}

/// The first word, if a kernel can have it as its release: files and directories are found by it.
fn release_at(text: &[u8]) -> Option<String> {
    // `__NEW_UTS_LEN` of the kernel's source.
    const LONGEST: usize = 64;
    let word = text
        .split(|byte| byte.is_ascii_whitespace() || *byte == 0)
        .next()?;
    let is_release = word.len() <= LONGEST
        && word.first().is_some_and(u8::is_ascii_digit)
        && word
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'/');
    is_release.then(|| String::from_utf8_lossy(word).into_owned())
}

#[cfg(test)]
mod tests {
    use problem::Exit;

    use super::*;

    fn from_bytes(name: &str, bytes: &[u8]) -> Result<Kernel> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Kernel::from_file(&path)
    }

    fn bzimage(release: &str) -> Vec<u8> {
        let mut bytes = vec![0; 0x400];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        bytes[0x300..0x300 + release.len()].copy_from_slice(release.as_bytes());
        bytes
    }

    #[test]
    fn bzimage_names_its_release() {
        let kernel = from_bytes("bzImage", &bzimage("6.9.0-test (me@here) #1 SMP")).unwrap();
        assert_eq!(kernel.release, "6.9.0-test");
        assert_eq!(kernel.modules, None);
    }

    #[test]
    fn vmlinux_names_its_release_wherever_the_banner_stands() {
        for padding in [0, 1, 100_000] {
            let mut bytes = b"\x7fELF LLinux version %s ".to_vec();
            bytes.resize(bytes.len() + padding, b'x');
            bytes.extend_from_slice(b"LLinux version 6.9.1-test (me@here)");
            assert_eq!(
                from_bytes("vmlinux", &bytes).unwrap().release,
                "6.9.1-test",
                "padding {padding}"
            );
        }
    }

    #[test]
    fn an_image_tells_its_architecture() {
        let banner = b"Linux version 6.9.1-test (me@here)";
        let mut image = vec![0; 0x38];
        image.extend_from_slice(b"ARM\x64");
        image.extend_from_slice(banner);
        let kernel = from_bytes("Image", &image).unwrap();
        assert_eq!(kernel.release, "6.9.1-test");
        assert_eq!(kernel.architecture, Architecture::Arm64);

        let mut vmlinux = b"\x7fELF".to_vec();
        vmlinux.resize(0x12, 0);
        for (machine, bootable) in [(62u16, true), (183, false)] {
            let bytes = [&vmlinux, &machine.to_le_bytes()[..], banner].concat();
            let found = identify_image(&mut std::io::Cursor::new(bytes)).unwrap();
            assert_eq!(found.is_some(), bootable, "{machine}");
        }
        let kernel = from_bytes("bzImage", &bzimage("6.9.0-test")).unwrap();
        assert_eq!(kernel.architecture, Architecture::Amd64);
    }

    #[test]
    fn other_files_are_refused_with_usage() {
        let cut_off = &bzimage("6.9.0-test")[..0x20e];
        for bytes in [
            &b""[..],
            b"#!/bin/sh\n",
            b"\x7fELF but no banner",
            cut_off,
            &bzimage("/6.9"),
            &bzimage("6.9/../../home"),
            &bzimage("6.9\x1b[2J"),
            &bzimage(&format!("6.{}", "9".repeat(63))),
        ] {
            let error = from_bytes("other", bytes).unwrap_err();
            assert_eq!(error.downcast_ref::<Problem>().unwrap().exit(), Exit::Usage);
            assert!(error.to_string().contains("is not a kernel"), "{error}");
        }
        let error = Kernel::from_file(Path::new("/nowhere/vmlinuz")).unwrap_err();
        assert!(error.to_string().contains("there is no kernel"), "{error}");
    }
}
