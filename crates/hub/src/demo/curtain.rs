//! The curtain: stops everything, and says what to try next.

use super::{Narrator, Stage};
use crate::{cli, failure::Result, lab::World};

/// Stops hub and lab; leaves what is to be kept.
pub async fn fall(narrator: &mut Narrator, stage: Stage, well: bool) -> Result<()> {
    if !stage.kept {
        stage.strike().await?;
        if well {
            narrator.act("What to try next");
            narrator.tell("bailiwick demo --keep ./demo      the same, and everything stays for exploring");
            narrator.tell("bailiwick init                    a hub of your own; it says how to go on");
            narrator.tell("bailiwick lab --system crm=put-only+dormant-token      other ways to misbehave");
        }
        return Ok(());
    }
    World::of_acme(&stage.lab)?.write(&stage.folder.join("world.json"))?;
    cli::write_file(&stage.folder.join("log.vkey"), format!("{}\n", stage.log_key).as_bytes())?;
    for (path, text) in &stage.files {
        let file = stage.folder.join("config").join(path);
        if let Some(parent) = file.parent() {
            // What cannot be made shows when the file is written.
            let _ = std::fs::create_dir_all(parent);
        }
        cli::write_file(&file, text.as_bytes())?;
    }
    let profile = stage.folder.join("profile.toml");
    stage.profile.write(&profile)?;
    let (folder, hub, lab) = (stage.folder.clone(), stage.running.address, stage.lab_address);
    stage.strike().await?;
    narrator.act("Everything is kept: explore it");
    let folder = folder.display();
    narrator.tell(&format!("bailiwick lab --listen {lab} --world {folder}/world.json"));
    narrator.tell(&format!("bailiwick serve --listen {hub} --data {folder}/data"));
    narrator.tell(&format!("export BAILIWICK_PROFILE={}", profile.display()));
    narrator.tell("bailiwick sign-in                 a link to the console, in a browser");
    narrator.tell("bailiwick status · case list · finding list · identity show hr/… · why hr/… chat/…");
    narrator.tell(&format!("bailiwick evidence verify {folder}/case.pack --key {folder}/log.vkey"));
    Ok(())
}
