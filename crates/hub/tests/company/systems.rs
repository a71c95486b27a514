//! The systems: a lab with the real clock, and the configuration by which a hub knows it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use bailiwick_core::time::Timestamp;
use bailiwick_lab::{Lab, LabClock, Seed, SeedGroup, SystemSpec, Tokens};

use super::people::DEPARTMENTS;

/// The example company.
const ACME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/acme");
/// What the example company's systems are known by.
const ITS_LAB: &str = "127.0.0.1:7461";
/// Other groups than the departments.
const GROUPS: [&str; 6] = ["Staff", "Sales", "Support", "Pipeline", "Support cases", "Workspace admins"];

struct Hands;

impl LabClock for Hands {
    fn now_ms(&self) -> i64 {
        now().as_millisecond()
    }
}

/// What time it is for the systems.
#[expect(clippy::disallowed_methods, reason = "the systems have the real clock, which no fault touches")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The tokens of a system's integration.
pub fn tokens(system: &str) -> Tokens {
    Tokens { write: format!("lab-{system}-write"), read: format!("lab-{system}-verify") }
}

/// Systems with their groups and nobody in them.
pub fn lab(seed: u64, systems: &[&str]) -> Lab {
    let spec = |name: &&str| SystemSpec::new(*name, seed, tokens(name));
    let lab = Lab::new(Arc::new(Hands), systems.iter().map(spec).collect()).unwrap();
    for system in systems {
        let group = |name: &&str| SeedGroup { name: (*name).to_owned(), ..SeedGroup::default() };
        let groups = DEPARTMENTS.iter().chain(&GROUPS).map(group).collect();
        lab.seed(system, &Seed { groups, ..Seed::default() }).unwrap();
    }
    lab
}

/// Writes the configuration into a folder: that of the example company, with these systems where they listen, and people of
/// its own. Systems in a network of their own have to be let in by its name.
pub fn configuration(folder: &Path, systems: &[(&str, String)], network: Option<&str>) -> PathBuf {
    let to = folder.join("config");
    fs::create_dir_all(&to).unwrap();
    let example = |name: &str| fs::read_to_string(format!("{ACME}/{name}.toml")).unwrap();
    let rules = |name: &str| {
        let from = format!("{}/tests/company/rules/{name}.cedar", env!("CARGO_MANIFEST_DIR"));
        fs::copy(from, to.join(format!("{name}.cedar"))).unwrap();
    };
    for (name, address) in systems {
        let settings = format!("[integration.{name}.settings]\n");
        let reach = network.map(|network| format!("allow_plaintext = true\nnetworks = [\"{network}\"]\n"));
        let text = example(name)
            .replace(ITS_LAB, address)
            .replace(&settings, &(settings.clone() + &reach.unwrap_or_default()))
            // As much as there is, at once.
            .replace("writes_per_minute = 6000", "writes_per_minute = 600000")
            // What nobody can see would keep every case open.
            .replace("\"licences\", \"oauth-consents\"", "\"licences\"");
        fs::write(to.join(format!("{name}.toml")), text).unwrap();
        rules(name);
    }
    let hr = example("hr")
        .replace("min_rows = 400", "min_rows = 1")
        .replace("max_loss_percent = 10", "max_loss_percent = 100")
        .replace("max_change_percent = 30", "max_change_percent = 100");
    fs::write(to.join("hr.toml"), hr).unwrap();
    rules("approving");
    to
}
