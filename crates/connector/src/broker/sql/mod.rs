//! The wire to databases: PostgreSQL and SQLite.
//!
//! A connector says the name of a statement and what is bound to its parameters; the text is the broker's,
//! from the integration's own settings or from a dialect that came with the product. So a rule
//! `OPERATION EXEC NAME` of a scope certifies a text, and there is no way to send another one, nor this one
//! for an operation that it does not say to be for. A line has one connection, which is opened when it is first
//! needed and used by one statement at a time.
//!
//! Absent on purpose: text made at run time, passwords in statements, trying anything again.

mod failure;
mod scram;
mod session;
mod statements;
mod text;
mod values;

use std::{sync::Arc, time::Duration};

use bailiwick_core::{digest::Digest, integration::Integration, scope::Operation};
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::SqliteConnectOptions,
};

pub use statements::Statements;
pub use values::{Cell, Rows, Statement};

use self::{
    failure::{Stage, Trouble, broken, refused, unreachable},
    session::{Session, Work},
    statements::listed,
    values::Parameter,
};
use super::{
    Inner,
    destination::{Destination, Tls},
    line::{Line, failure},
    ongoing::Outcome,
};
use crate::{
    ConnectorError, Entry, ErrorKind, Result,
    seal::{Credential, CredentialScheme},
};

const VERB: &str = "EXEC";
/// To make a connection, TLS and signing in included.
const CONNECT: Duration = Duration::from_secs(10);
/// For the server to give up a statement by itself, milliseconds.
const SERVER_LIMIT: &str = "45000";
/// For one statement with its transaction.
const OVERALL: Duration = Duration::from_secs(60);
/// How long another writer of a SQLite file is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// The statements of a line and its connection; shared by the line's clones.
pub(super) struct Database {
    statements: Result<Arc<Statements>>,
    /// Whether the statements are those of a dialect of the product.
    shipped: bool,
    session: tokio::sync::Mutex<Option<Session>>,
}

impl Database {
    /// For an integration: the dialect that its settings name, if the broker has it, or else the
    /// statements in the settings themselves.
    pub(super) fn new(broker: &Inner, integration: &Integration) -> Self {
        let dialect = integration.settings.get("dialect").and_then(|name| name.as_str());
        let shipped = dialect.and_then(|name| broker.dialects.get(name)).cloned();
        let own = || Statements::parse(&integration.settings["statements"]).map(Arc::new);
        let session = tokio::sync::Mutex::new(None);
        Self { shipped: shipped.is_some(), statements: shipped.map_or_else(own, Ok), session }
    }
}

impl Line {
    /// Executes a statement of the integration, in a transaction of its own, and gives back what it
    /// answered. An error's effect is `Unknown` only when the statement writes and the way broke after it
    /// was sent.
    pub async fn execute(&self, statement: Statement<'_>) -> Result<Rows> {
        let Statement { operation, name, parameters, most } = &statement;
        self.admit(*operation, VERB, name)?;
        let (destination, settings) = self.route()?;
        let database = self.database(&destination)?;
        let statements = database.statements.as_ref().map_err(Clone::clone)?;
        let declared =
            statements.get(name).ok_or_else(|| self.settings(format!("it has no statement `{name}`")))?;
        if !declared.operations.contains(operation) {
            let reason = format!("the statement is for {}", listed(&declared.operations));
            let stopped = self.stop(*operation, VERB, name, reason);
            return Err(stopped.with_detail("statement-for-other-operation"));
        }
        let texts = &declared.texts[..];
        let find = |wanted: &String| {
            let found = parameters.iter().find(|(given, _)| given == wanted).map(|(_, value)| value);
            found.ok_or_else(|| self.settings(format!("`statements.{name}` gets no parameter `:{wanted}`")))
        };
        let bound = texts
            .iter()
            .map(|text| text.parameters.iter().map(find).collect::<Result<Vec<_>>>())
            .collect::<Result<Vec<_>>>()?;
        let verifier = self.verifier(&statement)?;
        let work = Work { texts, bound, verifier, writes: !operation.reads(), most: *most };
        let origin = destination.origin();
        let credential = self.credential(settings.auth, &origin)?;
        self.in_budget(*operation)?;
        let mut place = database.session.lock().await;
        let call = self.begin(*operation, VERB);
        // Taken out while it is used: a connection that was left in the middle of something is closed.
        let session = match place.take() {
            Some(session) => Ok(session),
            None => call.within(self.open(&destination, credential.as_ref(), database.shipped)).await,
        };
        let answer = match session {
            Err(error) => Err(error),
            Ok(mut session) => {
                let ran = call.within(tokio::time::timeout(OVERALL, session.run(&work))).await;
                let ran = ran.unwrap_or(Err((Trouble::Late, Stage::Running)));
                let answer = ran.map_err(|(trouble, stage)| match broken(&trouble, stage) {
                    Some(error) => (failure(&error, *operation, &origin), false),
                    None => (refused(trouble, stage, &format!("`{name}`")), true),
                });
                if !matches!(answer, Err((_, false))) {
                    *place = Some(session);
                }
                answer.map_err(|(error, _)| error)
            }
        };
        drop(place);
        let digest = answer.as_ref().ok().filter(|_| self.digests(*operation)).map(Rows::digest);
        self.ended(&call, &outcome(answer.as_ref(), digest));
        answer
    }

    /// Signs in with the credential of somebody else, a canary's, and leaves at once. An error says that
    /// the question was not answered.
    pub async fn sign_in(&self, name: &str, credential: &Credential) -> Result<Entry> {
        self.admit(Operation::Try, VERB, name)?;
        let (destination, _) = self.route()?;
        let database = self.database(&destination)?;
        let call = self.begin(Operation::Try, VERB);
        let opened = match &destination {
            Destination::Postgres { .. } => {
                call.within(self.open(&destination, Some(credential), database.shipped)).await
            }
            Destination::Sqlite(_) => return Err(self.settings("a file asks nobody for a credential".into())),
            Destination::Folder(_)
            | Destination::Web { .. }
            | Destination::Directory { .. }
            | Destination::Person => {
                return Err(self.no_database());
            }
        };
        let entry = match opened {
            Ok(session) => {
                if let Session::Postgres(connection) = session
                    && let Err(error) = connection.close().await
                {
                    tracing::debug!(%error, "leaving was not answered");
                }
                Ok(Entry::Accepted)
            }
            Err(error) if matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::Forbidden) => {
                Ok(Entry::Rejected)
            }
            Err(error) => Err(error),
        };
        self.ended(&call, &Outcome { answered: entry.is_ok(), ..Outcome::default() });
        entry
    }

    fn database(&self, destination: &Destination) -> Result<&Database> {
        match destination {
            Destination::Postgres { .. } | Destination::Sqlite(_) => Ok(self.databases()),
            Destination::Folder(_)
            | Destination::Web { .. }
            | Destination::Directory { .. }
            | Destination::Person => Err(self.no_database()),
        }
    }

    fn no_database(&self) -> ConnectorError {
        self.settings("its endpoint is not a database, which this kind of connector needs".into())
    }

    /// The verifier of the password among a statement's parameters, if it has one. Salted with what nobody
    /// else's has: the integration, the other parameters and the instant.
    fn verifier(&self, statement: &Statement<'_>) -> Result<Option<String>> {
        let password = statement.parameters.iter().find_map(|(_, value)| match value {
            Parameter::Password(secret) => Some(secret),
            Parameter::Text(_) | Parameter::Number(_) | Parameter::Flag(_) | Parameter::Many(_) => None,
        });
        let Some(password) = password else { return Ok(None) };
        let mut salt = format!("{} {} ", self.integration().name, self.now());
        for (name, value) in &statement.parameters {
            if let Parameter::Text(text) = value {
                salt.push_str(&format!("{name} {} ", text.unwrap_or_default()));
            }
        }
        let digest = Digest::of_parts(&[b"salt ", salt.as_bytes()]);
        let salt = digest.0.first_chunk().copied().unwrap_or_default();
        let unfit = || {
            let message = "the password has something else than printable ASCII, or is empty";
            ConnectorError::none(ErrorKind::Invalid, message)
        };
        scram::verifier(password.bytes(), &salt).map(Some).ok_or_else(unfit)
    }

    async fn open(
        &self,
        destination: &Destination,
        credential: Option<&Credential>,
        shipped: bool,
    ) -> Result<Session> {
        let origin = destination.origin();
        let opened = match destination {
            Destination::Postgres { host, port, database, tls, .. } => {
                let addresses = self.guide.addresses(host, *port).await;
                let addresses =
                    addresses.map_err(|lost| failure(&lost.into(), Operation::Discover, &origin))?;
                // The name stays only where it must be proven to TLS, before anything is shown to it.
                let host = match (tls, addresses.first()) {
                    (Tls::Plain, Some(address)) => address.ip().to_string(),
                    _ => host.clone(),
                };
                let options = self.options(credential, shipped)?.host(&host).port(*port).database(database);
                let options = match tls {
                    Tls::Plain => options.ssl_mode(PgSslMode::Disable),
                    Tls::Asked | Tls::Always => {
                        let (_, settings) = self.route()?;
                        let options = options.ssl_mode(PgSslMode::VerifyFull);
                        settings.ca_file.into_iter().fold(options, PgConnectOptions::ssl_root_cert)
                    }
                };
                let opening = tokio::time::timeout(CONNECT, PgConnection::connect_with(&options)).await;
                opening.map(|opened| opened.map(|connection| Session::Postgres(Box::new(connection))))
            }
            Destination::Sqlite(path) => {
                // The driver would make a link's target or wait for a pipe.
                if !path.is_file() {
                    let message = "there is no file where the endpoint says";
                    return Err(ConnectorError::none(ErrorKind::Unreachable, message));
                }
                let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
                let options = options.busy_timeout(BUSY).disable_statement_logging();
                let opening = tokio::time::timeout(CONNECT, options.connect()).await;
                opening.map(|opened| opened.map(|connection| Session::Sqlite(Box::new(connection))))
            }
            Destination::Folder(_)
            | Destination::Web { .. }
            | Destination::Directory { .. }
            | Destination::Person => {
                return Err(self.no_database());
            }
        };
        let trouble = match opened {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(error)) => Trouble::Sql(error),
            Err(_) => Trouble::Late,
        };
        Err(match unreachable(&trouble) {
            Some(error) => failure(&error, Operation::Discover, &origin),
            None => refused(trouble, Stage::Opening, &format!("signing in at `{origin}`")),
        })
    }

    /// How a session with a PostgreSQL server is opened, but for where.
    fn options(&self, credential: Option<&Credential>, shipped: bool) -> Result<PgConnectOptions> {
        let needs = || {
            self.settings("PostgreSQL wants a user and a password; seal them with the scheme `basic`".into())
        };
        let credential = credential.ok_or_else(needs)?;
        let CredentialScheme::Basic { user } = &credential.scheme else { return Err(needs()) };
        let password = std::str::from_utf8(credential.secret.bytes()).ok();
        let clean = |text: &&str| !text.is_empty() && !text.contains('\0');
        let (Some(user), Some(password)) = (Some(user.as_str()).filter(clean), password.filter(clean)) else {
            return Err(self.settings("user and password are text without NUL, and not empty".into()));
        };
        let mut limits = vec![
            ("statement_timeout", SERVER_LIMIT),
            ("idle_in_transaction_session_timeout", SERVER_LIMIT),
            // Quotes mean what they mean where the texts were read.
            ("standard_conforming_strings", "on"),
            // Rows that a policy hides are an error, never rows that are not there.
            ("row_security", "off"),
        ];
        if shipped {
            // What somebody put into a schema of theirs is not taken for the server's own.
            limits.push(("search_path", "pg_catalog,pg_temp"));
        }
        let options = PgConnectOptions::new_without_pgpass().username(user).password(password);
        let options = options.application_name("bailiwick").options(limits);
        Ok(options.statement_cache_capacity(0).disable_statement_logging())
    }
}

fn outcome(answer: Result<&Rows, &ConnectorError>, digest: Option<Digest>) -> Outcome {
    let size = |rows: &Rows| rows.rows.iter().flatten().map(|cell| cell.size() as u64).sum();
    Outcome {
        answered: match answer {
            Ok(_) => true,
            Err(error) => !matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Timeout),
        },
        status: None,
        received: answer.map_or(0, size),
        digest,
    }
}
