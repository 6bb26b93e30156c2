//! How much the names of a file come to.

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// Names and code of an honest file are parts of it, even if some have several names. Symbols that
/// all have the same long name, or all the same code, could fill any memory and take for ever.
pub const MOST_SHARED: u64 = 16;

/// Reads the names of all sections, and of all symbols with their sections, as often as there is
/// one. What comes later may ask for each of them a few times.
///
/// # Errors
/// They are many times longer than the file.
pub fn check_name_lengths(file: &object::File<'_>, length: usize) -> Result<(), String> {
    let most = MOST_SHARED.saturating_mul(length as u64);
    let mut names = 0u64;
    let mut count_name = |name: &[u8]| {
        names = names.saturating_add(name.len() as u64);
        if names > most {
            return Err("its names are longer than the file".to_owned());
        }
        Ok(())
    };
    for section in file.sections() {
        count_name(section.name_bytes().unwrap_or_default())?;
    }
    for symbol in file.symbols() {
        count_name(symbol.name_bytes().unwrap_or_default())?;
        let section = symbol.section_index();
        let section = section.and_then(|index| file.section_by_index(index).ok());
        let name = section
            .as_ref()
            .and_then(|section| section.name_bytes().ok());
        count_name(name.unwrap_or_default())?;
    }
    Ok(())
}
