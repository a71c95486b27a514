//! A PostgreSQL server of its own for a test program.
//!
//! Promises: it listens on a Unix socket in a directory of its own, keeps nothing, and stops when the
//! test program ends, however it ends. PostgreSQL refuses to run as root, so root runs it as the user
//! `postgres`. Its commits wait for no disk, unless a benchmark asks for one whose commits do.

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// The address of a new, empty database; `None` when tests are told to do without PostgreSQL by
/// `BAILIWICK_TEST_WITHOUT_POSTGRES=1`.
///
/// # Panics
///
/// When PostgreSQL is not installed or does not start.
pub async fn database() -> Option<String> {
    static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| Server::start("", "-F"));
    Some(new_database(SERVER.as_ref()?).await)
}

/// The same on a server whose commits are on disk when they are done.
///
/// # Panics
///
/// When PostgreSQL is not installed or does not start.
pub async fn durable_database() -> Option<String> {
    static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| Server::start("", ""));
    Some(new_database(SERVER.as_ref()?).await)
}

async fn new_database(server: &Server) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server.address("postgres")).await.unwrap();
    // A language orders texts otherwise than by bytes, and the store must not care. Not every build of
    // PostgreSQL has ICU.
    let create = format!("CREATE DATABASE {name} TEMPLATE template0");
    let in_english = format!("{create} LOCALE_PROVIDER icu ICU_LOCALE 'en-US'");
    if connection.execute(AssertSqlSafe(in_english)).await.is_err() {
        connection.execute(AssertSqlSafe(create)).await.unwrap();
    }
    connection.close().await.unwrap();
    server.address(&name)
}

struct Server {
    directory: String,
    /// The script that stops the server when its standard input ends, which is when we do.
    _watcher: Child,
}

/// A server of its own for a test that breaks it, which others on a network reach too.
pub struct Reachable {
    server: Server,
    address: String,
}

impl Reachable {
    /// One that listens on port 5432 of `address`, believes everybody there, and waits for its disk as a real one
    /// does; `None` as [`database`].
    ///
    /// # Panics
    ///
    /// As [`database`].
    pub fn start(address: &str) -> Option<Self> {
        Some(Self { server: Server::start(address, "-c fsync=on")?, address: address.to_owned() })
    }

    /// A new, empty database, by its address on the network.
    ///
    /// # Panics
    ///
    /// When the server does not make one.
    pub async fn database(&self, name: &str) -> String {
        self.run(&format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        format!("postgres://postgres@{}:5432/{name}", self.address)
    }

    /// What the server's connections are at, one a line.
    ///
    /// # Panics
    ///
    /// When the server does not say.
    pub async fn activity(&self) -> String {
        let mut connection = PgConnection::connect(&self.server.address("postgres")).await.unwrap();
        let sql = "SELECT concat_ws(' ', pid, client_addr, state, wait_event_type, wait_event,                    clock_timestamp() - state_change, pg_blocking_pids(pid), left(query, 200))                    FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid() ORDER BY state_change";
        let lines: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        lines.join("\n")
    }

    /// Runs a statement as the administrator.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub async fn run(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.server.address("postgres")).await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// `$1` is the directory with the programs, `$2` where to listen besides the socket, `$3` what else the server is told.
/// Says where the server is, waits for the end of its input.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
cd / && dir=$(mktemp -d /tmp/bailiwick-postgres.XXXXXX) || exit 1
{
  "$1/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --no-sync &&
  { [ -z "$2" ] || echo "host all all $2/24 trust" >>"$dir/data/pg_hba.conf"; } &&
  "$1/pg_ctl" -D "$dir/data" -w -l "$dir/log" \
    -o "$3 -k $dir -c listen_addresses='$2' -c max_connections=300" start
} >"$dir/setup" 2>&1 </dev/null || { cat "$dir/setup" "$dir/log" >&2; rm -rf "$dir"; exit 1; }
echo "$dir"
cat >/dev/null
"$1/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

impl Server {
    fn start(listen: &str, told: &str) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "this is where the tests are told")]
        let without = std::env::var("BAILIWICK_TEST_WITHOUT_POSTGRES");
        if without.is_ok_and(|value| value == "1") {
            return None;
        }
        let programs = programs().unwrap_or_else(|| {
            panic!(
                "PostgreSQL is not installed: install it (Debian: `apt install postgresql`), or set \
                 BAILIWICK_TEST_WITHOUT_POSTGRES=1 to test without it"
            )
        });
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
                command
            }
            false => Command::new("sh"),
        };
        let mut watcher = command
            .args(["-c", SCRIPT, "sh"])
            .arg(programs)
            .args([listen, told])
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
        Some(Self { directory: directory.trim().to_owned(), _watcher: watcher })
    }

    fn address(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.directory)
    }
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
