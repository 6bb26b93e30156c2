//! Places in source files, and the functions there.

/// A place in a source file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceSite {
    /// As the compiler knew it.
    pub file: String,
    pub line: u32,
    /// 0 where it is not known.
    pub column: u32,
}

/// A function at an instruction: inlined ones first, the one that they are in last.
#[derive(Clone, Debug)]
pub struct SourceFrame {
    /// Its full path.
    pub function: String,
    pub site: SourceSite,
}

/// The innermost line that is no library's.
pub fn find_own_site(frames: &[SourceFrame]) -> Option<SourceSite> {
    let own = frames.iter().find(|frame| !frame.site.is_library());
    own.map(|frame| frame.site.clone())
}

impl SourceSite {
    /// Rust's own source, as rustup, Debian and builds of Rust itself place it, and what cargo
    /// fetched.
    fn is_library(&self) -> bool {
        const PARTS: [&str; 6] = [
            "/library/core/",
            "/library/alloc/",
            "/library/compiler-builtins/",
            "/rustc/",
            "/registry/src/",
            "/git/checkouts/",
        ];
        PARTS.iter().any(|part| self.file.contains(part))
    }
}

impl SourceFrame {
    /// The name of a library's function, without its path: `unwrap`.
    pub fn library_function(&self) -> Option<&str> {
        self.site
            .is_library()
            .then(|| self.function.rsplit("::").next().unwrap_or_default())
    }
}
