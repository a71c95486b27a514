//! From a data folder and a store to an engine: the one place where concrete parts are put together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bailiwick_connector::{
    Broker, Sleep,
    broker::{HttpLimits, HttpTransport},
    seal::{Credential as Secret, CredentialScheme, KeyFileError, SealKey, Sealed, Secret as SecretBytes},
};
use bailiwick_core::{
    id::{Entropy, Tenant},
    time::{Clock, Timestamp},
};
use bailiwick_engine::{Engine, Parts, Sequencer};
use bailiwick_evidence::Signer;
use bailiwick_store::{
    Select, Store, Table, Upgrade,
    entities::{Credential, Operator},
    select,
};

use crate::{
    clock::{SharedClock, SystemClock, SystemEntropy},
    environment::Environment,
    failure::{Failure, Result},
    folder::{Folder, read_secret},
    node,
    problem::{Problem, chain},
};

/// How long a turn of the loop waits for systems; one that takes longer goes on beside it.
const TURN: Duration = Duration::from_secs(1);

/// A hub that is ready to work.
pub struct Opened {
    /// Decides and does.
    pub engine: Arc<Engine>,
    /// Publishes the evidence.
    pub sequencer: Arc<Sequencer>,
    /// The data folder.
    pub folder: Folder,
    /// The clock that all nodes of the store go by; with a store of its own, a hub goes by its machine's.
    pub clock: Option<Arc<SharedClock>>,
}

impl Opened {
    /// The public key of the log, as a C2SP vkey.
    ///
    /// # Errors
    /// `evidence` when the log is in disorder.
    pub fn log_key(&self) -> Result<String> {
        let log = self.sequencer.log().map_err(Problem::from)?;
        Ok(log.verifier().to_string())
    }

    /// Whether this node's log is the one whose end the store remembers: signed with the same key.
    ///
    /// # Errors
    /// `log-key-wrong`, `store-…`.
    pub async fn continues_the_log(&self) -> Result<()> {
        if self.sequencer.continues().await.map_err(Problem::from)? {
            return Ok(());
        }
        let message =
            format!("`{}` is not the key of the log of this store", self.folder.log_key().display());
        Err(Failure::unreachable("log-key-wrong", message))
    }
}

/// Opens the store, the keys and the log.
///
/// # Errors
/// `key-file-…`, `key-wrong`, `store-…`, `log-…`: each says which file or address and what to do. Nothing is
/// changed then, except that an older database may have been brought up to date.
pub async fn open(folder: Folder, store: Option<&str>, environment: &Environment) -> Result<Opened> {
    let key = key(&folder, environment)?;
    let signer = log_signer(&folder)?;
    let database = folder.database().display().to_string();
    let store = bailiwick_store::open(store.unwrap_or(&database)).await.map_err(unopened)?;
    let tenant = Tenant::single();
    fits(&*store, &tenant, &key, &key_path(&folder, environment)).await?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let told =
        store.server_time().await.map_err(unopened)?.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let shared = told.map(|now| Arc::new(SharedClock::at(now)));
    let clock: Arc<dyn Clock> = match &shared {
        Some(shared) => shared.clone(),
        None => Arc::new(SystemClock),
    };
    let sequencer = Sequencer::open(store.clone(), &folder.log(), signer, &*entropy).map_err(|error| {
        let help = "close the other hub, or restore the log folder and `log-key` from the same moment";
        Failure::unreachable(error.code(), chain(&error)).advise(help)
    })?;
    // The log's folder is locked: nobody else is this node now.
    let name = node::name(&folder, &*entropy)?;
    let sequencer = sequencer.named(format!("{name}/log"));
    let transport = HttpTransport::new(&HttpLimits::default()).map_err(|error| {
        Failure::unreachable("transport", "cannot set up connections to systems").because(&error)
    })?;
    let broker = Broker::new(tenant.clone(), Arc::new(transport), clock.clone(), Arc::new(key));
    let broker = broker.with_folder(folder.path().to_owned());
    let broker = bailiwick_connectors::sql::with_dialects(broker).map_err(|error| {
        Failure::unreachable("dialects", "cannot read the statements of the product").because(&error)
    })?;
    let build = bailiwick_connectors::build_patient;
    let (broker, pause) = (Arc::new(broker), Arc::new(Sleep));
    let compiled = Arc::default();
    let (turn, version) = (TURN, env!("CARGO_PKG_VERSION").to_owned());
    let parts = Parts { store, tenant, clock, entropy, broker, build, pause, turn, compiled, name, version };
    Ok(Opened { engine: Arc::new(Engine::new(parts)), sequencer: Arc::new(sequencer), folder, clock: shared })
}

/// The name of the log whose last checkpoint the store remembers (C2SP tlog-checkpoint: its first line).
///
/// # Errors
/// `store-…`.
pub async fn log_origin(store: &str) -> Result<Option<String>> {
    let store = bailiwick_store::open(store).await.map_err(unopened)?;
    let head = store.read().await.map_err(unopened)?.log_head().await.map_err(unopened)?;
    let origin = |checkpoint: Vec<u8>| {
        let text = String::from_utf8_lossy(&checkpoint);
        text.lines().next().map(str::to_owned)
    };
    Ok(head.and_then(|head| origin(head.checkpoint)))
}

/// From which version of its schema to which opening the store would bring it; nothing is left of the attempt.
///
/// # Errors
/// `store-…`: what would stop it.
pub async fn rehearse(folder: &Folder, store: Option<&str>) -> Result<Upgrade> {
    let database = folder.database().display().to_string();
    bailiwick_store::rehearse(store.unwrap_or(&database)).await.map_err(unopened)
}

/// The key that seals credentials.
///
/// # Errors
/// `key-file-…`.
pub fn key(folder: &Folder, environment: &Environment) -> Result<SealKey> {
    let path = key_path(folder, environment);
    if !path.exists() {
        return Err(Failure::unreachable(
            "key-file-missing",
            format!("there is no key file `{}`", path.display()),
        ));
    }
    SealKey::load(&path).map_err(|error| key_failure(&error))
}

/// Makes the key that seals credentials in the data folder.
///
/// # Errors
/// `key-file-…`.
pub fn make_key(folder: &Folder, entropy: &dyn Entropy) -> Result<()> {
    SealKey::generate(entropy).write_new(&folder.key()).map_err(|error| key_failure(&error))
}

/// A credential that is shown in this way, to be sealed.
pub fn credential(scheme: CredentialScheme, secret: &str) -> Secret {
    Secret { scheme, secret: SecretBytes::new(secret) }
}

/// A secret by itself, which is shown as another one is.
pub fn secret(secret: &str) -> SecretBytes {
    SecretBytes::new(secret)
}

fn key_path(folder: &Folder, environment: &Environment) -> PathBuf {
    environment.key_file.clone().unwrap_or_else(|| folder.key())
}

fn key_failure(error: &KeyFileError) -> Failure {
    Failure::unreachable(error.code(), chain(error))
}

fn log_signer(folder: &Folder) -> Result<Signer> {
    let path = folder.log_key();
    if !path.exists() && !folder.database().exists() {
        let message = format!("`{}` is not a data folder: it has no `log-key`", folder.path().display());
        return Err(Failure::usage("no-data-folder", message));
    }
    let text = read_secret(&path)?;
    Signer::parse(text.trim()).map_err(|error| {
        Failure::unreachable(error.code(), format!("`{}` does not hold the key of a log", path.display()))
            .because(&error)
    })
}

/// The store did not do what opening takes.
pub fn unopened(error: bailiwick_store::StoreError) -> Failure {
    let code = error.code();
    Failure::unreachable(code, format!("the store cannot be opened: {}", chain(&error)))
}

/// Whether the key is the one that the operators and the credentials in the store are sealed with.
async fn fits(store: &dyn Store, tenant: &Tenant, key: &SealKey, file: &std::path::Path) -> Result<()> {
    let mut tx = store.read().await.map_err(unopened)?;
    let operators =
        select::<Operator>(&mut *tx, tenant, Select::from(Table::Operators)).await.map_err(unopened)?;
    let ours = |operator: &Operator| key.attested(&operator.sealed_bytes(), &operator.seal);
    if !operators.is_empty() && !operators.iter().any(|stored| ours(&stored.value)) {
        let message = format!(
            "the key file `{}` holds the key {}, and no operator of this store was made with it",
            file.display(),
            key.id()
        );
        return Err(Failure::unreachable("key-wrong", message));
    }
    let key = key.id();
    let stored =
        select::<Credential>(&mut *tx, tenant, Select::from(Table::Credentials)).await.map_err(unopened)?;
    for credential in stored {
        let sealed: Option<Sealed> = serde_json::from_value(credential.value.sealed).ok();
        let needed = sealed.map(|sealed| sealed.key_id).unwrap_or_default();
        if needed != key {
            let message = format!(
                "the key file `{}` holds the key {key}, and the credential of `{}` is sealed with the key {needed}",
                file.display(),
                credential.value.integration,
            );
            return Err(Failure::unreachable("key-wrong", message));
        }
    }
    Ok(())
}
