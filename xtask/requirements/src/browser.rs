//! Chromium and what drives it. Only the tests of the book need it, so that `setup` leaves it out.

use std::path::PathBuf;

use anyhow::Result;
use processes::child;

use crate::part::Part;
use crate::requirement::Requirement;
use crate::site::SetupSite;

pub struct Browser;

impl Requirement for Browser {
    fn name(&self) -> String {
        "browser".to_owned()
    }

    fn is_met(&self) -> bool {
        find_browser().is_some()
            && ["node", "npm"]
                .iter()
                .all(|program| child::find_program(program).is_some())
    }

    fn parts(&self) -> &'static [Part] {
        &[Part::Chromium, Part::Node, Part::Npm]
    }

    fn meet(&self, _site: &SetupSite) -> Result<()> {
        Ok(())
    }
}

/// The program, by any of its names.
pub fn find_browser() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(child::find_program)
}
