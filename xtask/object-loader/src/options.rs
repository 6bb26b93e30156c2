//! How programs are loaded and attached, as the command line says it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

#[derive(Args)]
pub struct LoadOptions {
    /// Load programs, and attach none
    #[arg(long)]
    pub load_only: bool,
    /// Load each program once more, for what its verification costs
    #[arg(long)]
    pub cost: bool,
    /// Leave out this program: it was done before
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,
    /// What a program attaches to, where its section does not say
    #[arg(long = "target", value_name = "NAME=TARGET")]
    targets: Vec<Pair>,
    /// The size of a map
    #[arg(long = "map", value_name = "NAME=ENTRIES")]
    maps: Vec<MapSize>,
    /// That loading one program may take
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Kernel modules to load first, in the order of their file names
    #[arg(long, value_name = "DIRECTORY")]
    pub modules: Option<PathBuf>,
}

impl LoadOptions {
    pub fn is_skipped(&self, program: &str) -> bool {
        self.skip.iter().any(|name| name == program)
    }

    pub fn target_of(&self, program: &str) -> Option<&str> {
        let pair = self.targets.iter().find(|pair| pair.name == program)?;
        Some(&pair.value)
    }

    pub fn entries_of(&self, map: &str) -> Option<u32> {
        let size = self.maps.iter().find(|size| size.name == map)?;
        Some(size.entries)
    }
}

/// `NAME=VALUE`
#[derive(Clone, Debug, Eq, PartialEq)]
struct Pair {
    name: String,
    value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("it takes a name, an equals sign and a value".to_owned()),
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct MapSize {
    name: String,
    entries: u32,
}

impl FromStr for MapSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Pair { name, value } = text.parse()?;
        let entries = value
            .parse()
            .map_err(|error| format!("{value} is no number of entries: {error}"))?;
        Ok(Self { name, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_divides() {
        let pair: Pair = "prog=/bin/a=b:main".parse().unwrap();
        assert_eq!((&*pair.name, &*pair.value), ("prog", "/bin/a=b:main"));
        assert!("prog".parse::<Pair>().is_err() && "=x".parse::<Pair>().is_err());
        let size: MapSize = "counts=7".parse().unwrap();
        assert_eq!((&*size.name, size.entries), ("counts", 7));
        assert!("counts=many".parse::<MapSize>().is_err());
    }
}
