//! The stage: a lab and a hub in this process, on ports of their own, and a folder for what they leave.

use std::{net::SocketAddr, path::PathBuf};

use bailiwick_core::system::Entitlement;
use bailiwick_lab::Lab;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{narrator::Narrator, truth::BackDoor};
use crate::{
    acme,
    api::Status,
    client::Client,
    config,
    environment::Environment,
    failure::{Failure, Result},
    folder::Folder,
    init, lab,
    problem::chain,
    profile::Profile,
    serve::{self, Running},
};

/// What ids on the simulated systems follow from.
const SEED: u64 = 1;
/// How long an act may take to become quiet, seconds.
const PATIENCE: u64 = 60;

/// Everything that the acts need.
pub struct Stage {
    /// The hub, as the first operator talks to it.
    pub hub: Client,
    /// The same hub's address and first operator.
    pub profile: Profile,
    /// The systems' truth.
    pub truth: BackDoor,
    /// The configuration, pointed at the lab.
    pub files: config::Bundle,
    /// The entitlements in it.
    pub entitlements: Vec<Entitlement>,
    /// The public key of the log.
    pub log_key: String,
    pub(super) folder: PathBuf,
    pub(super) running: Running,
    pub(super) lab: Lab,
    pub(super) lab_address: SocketAddr,
    pub(super) kept: bool,
    lab_task: JoinHandle<std::io::Result<()>>,
    lab_stop: oneshot::Sender<()>,
    temporary: Option<TempDir>,
}

impl Stage {
    /// Sets it.
    pub async fn set(
        narrator: &mut Narrator,
        keep: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self> {
        narrator.act("A laboratory and a hub");
        let unwritable = |error: std::io::Error| {
            Failure::usage("folder-unwritable", "cannot make a folder").because(&error)
        };
        let (folder, temporary) = match &keep {
            Some(dir) => (new_folder(dir)?, None),
            None => {
                let made =
                    tempfile::Builder::new().prefix("bailiwick-demo-").tempdir().map_err(unwritable)?;
                (made.path().to_owned(), Some(made))
            }
        };
        let lab = lab::acme(SEED)?;
        let ephemeral = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = serve::listen(ephemeral).await?;
        let lab_address = serve::address_of(&listener)?;
        let (lab_stop, stopped) = oneshot::channel::<()>();
        let lab_task = tokio::spawn(bailiwick_lab::serve(lab.clone(), listener, async {
            // An error means that the stage is gone, which is a stop too.
            let _ = stopped.await;
        }));

        let files = acme::configuration(lab_address);
        let start = init::Start {
            dir: folder.join("data"),
            store: None,
            operator: "you".into(),
            person: None,
            origin: Some("bailiwick.demo/log".into()),
        };
        // A key file of the surroundings is for another hub.
        let environment = Environment { key_file: None, ..environment.clone() };
        let (opened, token) = init::set_up(start, &environment).await?;
        let entitlements = acme::entitlements(&files)?;
        let log_key = opened.log_key()?;
        let running = Running::start(opened, serve::listen(ephemeral).await?, None)?;
        let url = format!("http://{}", running.address);
        let profile = Profile { url, ca: None, operator: token.operator, token: token.secret };
        let stage = Self {
            hub: Client::new(&profile)?,
            truth: BackDoor::new(lab_address)?,
            profile,
            files,
            entitlements,
            log_key,
            folder,
            running,
            lab,
            lab_address,
            kept: keep.is_some(),
            lab_task,
            lab_stop,
            temporary,
        };
        narrator.tell("three simulated systems, over real HTTP, with a back door to their truth:");
        narrator.tell(
            "  chat does what it says · wiki keeps groups on deactivation · crm answers 200 and does nothing",
        );
        narrator.tell(&format!("the hub, on an empty store in {}", stage.folder.display()));
        narrator.promise(stage.status().await?.systems == 0, "it knows no system and nobody yet")?;
        Ok(stage)
    }

    /// The hub in numbers, now.
    pub async fn status(&self) -> Result<Status> {
        self.hub.get(&["status"]).send().await
    }

    /// Waits until nothing is left to do.
    ///
    /// # Errors
    /// `not-quiet` when that takes too long.
    pub async fn quiet(&self) -> Result<Status> {
        let status: Status = self.hub.get(&["status"]).query("wait", PATIENCE).send().await?;
        if status.queue.quiet {
            return Ok(status);
        }
        let failing = status.queue.failing.map_or(String::new(), |failing| format!(": {failing}"));
        Err(Failure::refused("not-quiet", format!("{} items are still queued{failing}", status.queue.queued)))
    }

    /// Stops hub and lab.
    pub async fn strike(self) -> Result<()> {
        let Self { running, lab_task, lab_stop, temporary, .. } = self;
        running.stop().await?;
        // An error means that the lab has stopped already.
        let _ = lab_stop.send(());
        if let Ok(Err(error)) = lab_task.await {
            return Err(Failure::refused("lab-failed", chain(&error)));
        }
        drop(temporary);
        Ok(())
    }
}

fn new_folder(dir: &std::path::Path) -> Result<PathBuf> {
    let folder = Folder::make(dir)?;
    let empty = std::fs::read_dir(folder.path()).is_ok_and(|mut entries| entries.next().is_none());
    if empty {
        return Ok(folder.path().to_owned());
    }
    Err(Failure::usage("folder-not-empty", format!("`{}` is not empty", dir.display()))
        .advise("name a new folder"))
}
