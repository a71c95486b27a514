//! PostgreSQL behind a pooler that gives a connection for one transaction: PgBouncer, in its mode `transaction`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use bailiwick_core::id::Tenant;
use bailiwick_store::{
    NewWork, open,
    testkit::{Bed, postgres},
};

/// A pooler of its own for this program; it ends with it.
struct Pooler {
    directory: String,
    _watcher: Child,
}

/// `$1` is where PostgreSQL listens. PgBouncer is not run as root.
const SCRIPT: &str = r#"
cd / && dir=$(mktemp -d /tmp/bailiwick-pooler.XXXXXX) || exit 1
cat >"$dir/ini" <<END
[databases]
* = host=$1 user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = $dir
auth_type = any
pool_mode = transaction
max_client_conn = 500
server_idle_timeout = 5
END
pgbouncer -q "$dir/ini" >"$dir/log" 2>&1 </dev/null &
pooler=$!
tries=0
until [ -S "$dir/.s.PGSQL.6432" ]; do
  kill -0 $pooler 2>/dev/null && [ $((tries += 1)) -lt 100 ] || { cat "$dir/log" >&2; rm -rf "$dir"; exit 1; }
  sleep 0.1
done
echo "$dir"
cat >/dev/null
kill $pooler
rm -rf "$dir"
"#;

impl Pooler {
    fn before(server: &str) -> Self {
        let mut command = match std::fs::metadata("/proc/self").is_ok_and(|me| owned_by_root(&me)) {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
                command
            }
            false => Command::new("sh"),
        };
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut watcher = pipes.args(["-c", SCRIPT, "sh", server]).spawn().unwrap();
        let mut directory = String::new();
        BufReader::new(watcher.stdout.take().unwrap()).read_line(&mut directory).unwrap();
        assert!(
            !directory.is_empty(),
            "PgBouncer does not start; is it installed (Debian: `apt install pgbouncer`)?"
        );
        Self { directory: directory.trim().to_owned(), _watcher: watcher }
    }
}

fn owned_by_root(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.uid() == 0
}

/// The addresses of a new database: behind the pooler, and without it.
async fn database() -> Option<(String, String)> {
    static POOLER: OnceLock<Pooler> = OnceLock::new();
    let direct = postgres::database().await?;
    let (start, rest) = direct.split_once("host=").unwrap();
    let (server, user) = rest.split_once('&').unwrap();
    let pooler = &POOLER.get_or_init(|| Pooler::before(server)).directory;
    Some((format!("{start}host={pooler}&port=6432&{user}&statement-cache-capacity=0"), direct))
}

async fn bed() -> Option<(Bed, ())> {
    let (address, _) = database().await?;
    Some((Bed { store: open(&address).await.unwrap(), one_connection: false, at_once: false }, ()))
}

bailiwick_store::conformance!(match bed().await {
    Some(bed) => bed,
    None => return println!("skipped: told to test without PostgreSQL"),
});

#[tokio::test]
async fn who_does_not_say_that_there_is_a_pooler_is_told() {
    let Some((pooled, _)) = database().await else {
        return println!("skipped: told to test without PostgreSQL");
    };
    let unsaid = pooled.replace("&statement-cache-capacity=0", "");
    let mut told = None;
    for _ in 0..5 {
        told = told.or(open(&unsaid).await.err());
    }
    assert_eq!(told.map(|error| error.code()), Some("store-pooled"));
}

#[tokio::test]
async fn the_bell_is_rung_through_a_pooler_and_not_heard_through_it() {
    let Some((pooled, direct)) = database().await else {
        return println!("skipped: told to test without PostgreSQL");
    };
    let behind = open(&pooled).await.unwrap();
    assert!(behind.bell().await.unwrap().is_none(), "who waits for it there would wait forever");
    let mut bell = open(&direct).await.unwrap().bell().await.unwrap().expect("it is heard directly");
    let mut tx = behind.begin().await.unwrap();
    let item = NewWork { lane: "l".into(), priority: 0, due: 0, body: b"{}".into() };
    tx.enqueue(&Tenant::single(), vec![item]).await.unwrap();
    tx.commit().await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(30), bell.rings()).await.expect("it rings").unwrap();
}
