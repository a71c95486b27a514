//! A PostgreSQL server of its own for a test, which asks everybody but `postgres` for a password, and a
//! proxy before it that can lose an answer.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener as Probe,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A running server; it ends with this value.
pub struct Postgres {
    pub directory: String,
    pub port: u16,
    /// The script that stops the server when its standard input ends, which is when we do.
    _watcher: Child,
}

/// What has a server log who changed roles, as `packaging/postgresql-audit.sql` asks for.
pub const LOGGED: &str =
    "-c logging_collector=on -c log_destination=jsonlog -c log_statement=ddl -c log_timezone=UTC";

/// `$1` is the directory with the programs, `$2` the port, `$3` more lines of `pg_hba.conf`, `$4` a certificate and
/// `$5` its key for TLS, or nothing, `$6` more options. Says where the server is, waits for the end of its input.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
cd / && dir=$(mktemp -d /tmp/bailiwick-postgres.XXXXXX) || exit 1
{
  "$1/initdb" -D "$dir/data" -U postgres -A scram-sha-256 --pwfile=/dev/stdin -E UTF8 --locale=C --no-sync &&
  printf 'local all postgres trust\n%s\nhost all all 127.0.0.1/32 scram-sha-256\n' "$3" >"$dir/data/pg_hba.conf" &&
  if [ -n "$5" ]; then
    umask 077 && printf '%s' "$4" >"$dir/data/server.crt" && printf '%s' "$5" >"$dir/data/server.key" && tls=on
  else
    tls=off
  fi &&
  "$1/pg_ctl" -D "$dir/data" -w -l "$dir/log" \
    -o "-F -k $dir -p $2 -c listen_addresses=127.0.0.1 -c log_statement=all -c ssl=$tls $6" start
} >"$dir/setup" 2>&1 <<END || { cat "$dir/setup" "$dir/log" >&2; rm -rf "$dir"; exit 1; }
of-the-superuser
END
echo "$dir"
cat >/dev/null
"$1/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

impl Postgres {
    /// Starts a server; `hba` is put before the rule that asks for passwords.
    pub fn start(hba: &str) -> Self {
        Self::start_with(hba, None)
    }

    /// One that has a log of who changed roles.
    pub fn start_logged(hba: &str) -> Self {
        Self::launch(hba, None, LOGGED)
    }

    /// One in whose log pgaudit says that, and the server does not.
    pub fn start_pgaudit() -> Self {
        let library = "-c log_statement=none -c shared_preload_libraries=pgaudit -c pgaudit.log=role";
        Self::launch("", None, &format!("{LOGGED} {library}"))
    }

    /// The same with TLS, if there is a folder with `server.pem` and `server.key`.
    pub fn start_with(hba: &str, tls: Option<&Path>) -> Self {
        Self::launch(hba, tls, "")
    }

    fn launch(hba: &str, tls: Option<&Path>, more: &str) -> Self {
        let read = |name: &str| {
            tls.map(|folder| std::fs::read_to_string(folder.join(name)).unwrap()).unwrap_or_default()
        };
        let programs = programs().unwrap_or_else(|| {
            panic!("PostgreSQL is not installed: run `./test`, or `apt install postgresql`")
        });
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
                command
            }
            false => Command::new("sh"),
        };
        // Free at this moment; if somebody else takes it, the server does not come up and the test says so.
        let port = Probe::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut watcher = command
            .args(["-c", SCRIPT, "sh"])
            .arg(programs)
            .args([&port.to_string(), hba, &read("server.pem"), &read("server.key"), more])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut directory = String::new();
        BufReader::new(watcher.stdout.take().unwrap()).read_line(&mut directory).unwrap();
        if directory.is_empty() {
            let mut why = String::new();
            watcher.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("PostgreSQL does not start: {why}");
        }
        Self { directory: directory.trim().to_owned(), port, _watcher: watcher }
    }

    /// The files of the log that has who changed roles, oldest first.
    pub fn logs(&self) -> Vec<PathBuf> {
        let folder =
            std::fs::read_dir(format!("{}/data/log", self.directory)).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = folder.map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        files
    }

    /// Waits until what was done by now is in that log.
    pub async fn logged(&self) {
        let mut admin = self.admin("postgres").await;
        let mark = format!("all is logged {}", rand(&mut admin).await);
        run(&mut admin, &format!("DO $do$ BEGIN RAISE LOG '{mark}'; END $do$")).await;
        let written = |file: PathBuf| String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains(&mark);
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        while !self.logs().into_iter().any(written) {
            assert!(tokio::time::Instant::now() < deadline, "the server does not write its log");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Begins a new file of that log.
    pub async fn rotate(&self) {
        let (mut admin, before) = (self.admin("postgres").await, self.logs().len());
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        // The name of a file is the second when it was begun.
        while self.logs().len() == before {
            assert!(tokio::time::Instant::now() < deadline, "the server begins no new file");
            run(&mut admin, "SELECT pg_rotate_logfile()").await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// A connection of the superuser, by a socket that nobody else has.
    pub async fn admin(&self, database: &str) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass().host(&self.directory).port(self.port);
        PgConnection::connect_with(&options.username("postgres").database(database)).await.unwrap()
    }
}

/// A text that was not there before.
async fn rand(connection: &mut PgConnection) -> String {
    sqlx::query_scalar("SELECT gen_random_uuid()::text").fetch_one(connection).await.unwrap()
}

/// Runs a text of the test's own.
pub async fn run(connection: &mut PgConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// The directory of `initdb` and `pg_ctl`: from the search path, or the newest of Debian's.
fn programs() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the search path is where programs are")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    std::env::split_paths(&path).chain(debian.into_iter().rev()).find(|bin| bin.join("initdb").exists())
}

/// A way to a server that knows when something is to last, and can swallow the answer to that.
pub struct Proxy {
    pub port: u16,
    lose: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy before the server at `port`.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            lose: Arc::default(),
            commits: Arc::default(),
        };
        let (lose, commits) = (proxy.lose.clone(), proxy.commits.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                // Messages are passed on one by one, and none is to wait for the next.
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let deaf = Arc::new(AtomicBool::new(false));
                let watch = Watch { lose: lose.clone(), commits: commits.clone(), deaf: deaf.clone() };
                let up = tokio::spawn(up(from_client, to_server, watch));
                tokio::spawn(async move {
                    down(from_server, to_client, deaf).await;
                    up.abort();
                });
            }
        });
        proxy
    }

    /// Loses the next answer to something that was to last.
    pub fn lose_next(&self) {
        self.lose.store(true, Ordering::SeqCst);
    }

    /// How often something was to last.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }
}

struct Watch {
    lose: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    deaf: Arc<AtomicBool>,
}

/// The first whole message: how long it is with its type and length.
fn message(bytes: &[u8], typed: bool) -> Option<usize> {
    let at = usize::from(typed);
    let length: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    let whole = at + usize::try_from(u32::from_be_bytes(length)).ok()?;
    (bytes.len() >= whole).then_some(whole)
}

async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, watch: Watch) {
    let (mut buffer, mut typed) = (Vec::new(), false);
    loop {
        while let Some(length) = message(&buffer, typed) {
            if buffer.starts_with(b"Q") && buffer[5..length].eq_ignore_ascii_case(b"COMMIT\0") {
                watch.commits.fetch_add(1, Ordering::SeqCst);
                watch.deaf.store(watch.lose.swap(false, Ordering::SeqCst), Ordering::SeqCst);
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
            buffer.drain(..length);
            typed = true;
        }
        if from.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

/// Passes on until it is deaf, and then waits for the server to be ready again, and goes.
async fn down(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, deaf: Arc<AtomicBool>) {
    let mut buffer = Vec::new();
    loop {
        while let Some(length) = message(&buffer, true) {
            if !deaf.load(Ordering::SeqCst) {
                if to.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            } else if buffer.starts_with(b"Z") {
                return;
            }
            buffer.drain(..length);
        }
        if from.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
}
