//! Opens an answer with the library that it is written for.

use anyhow::Result;
use plan::load::EbpfLibrary;

use crate::answer_object::AnswerObject;
use crate::library::OpenedObject;
use crate::with_aya::OpenedWithAya;
use crate::with_libbpf::OpenedWithLibbpf;

/// # Errors
/// What the library has to say about the file.
pub fn open_object<'a>(
    library: EbpfLibrary,
    file: &'a AnswerObject,
) -> Result<Box<dyn OpenedObject + 'a>> {
    Ok(match library {
        EbpfLibrary::Aya => Box::new(OpenedWithAya::open(file)?),
        EbpfLibrary::Libbpf => Box::new(OpenedWithLibbpf::open(file)?),
    })
}
