//! The gallery's entry about a class of errors.

use course::entry;

/// The gallery's entry about this class: the one of its name, or else one that says it belongs
/// there.
pub fn find_gallery_entry(slug: &str) -> Option<String> {
    let entries = entry::read_entries().ok()?;
    let named = entries.iter().find(|entry| entry.name == slug);
    let belonging = || {
        entries
            .iter()
            .find(|entry| entry.about.class.as_deref() == Some(slug))
    };
    named.or_else(belonging).map(|entry| entry.name.clone())
}
