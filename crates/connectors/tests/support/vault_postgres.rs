//! A PostgreSQL of its own that a vault makes users in: on a port of this machine, with passwords, gone with this
//! value. PostgreSQL refuses to run as root, so root runs it as the user `postgres`.

use std::{net::TcpListener, os::unix::fs::MetadataExt, path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

pub const PASSWORD: &str = "the-password-of-the-tests";

/// `$1` is the directory with the programs, `$2` the port, `$3` the password. Says that it is up, waits for the
/// end of its input.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
cd / && dir=$(mktemp -d /tmp/bailiwick-vault-postgres.XXXXXX) || exit 1
{
  echo "$3" >"$dir/password" &&
  "$1/initdb" -D "$dir/data" -U postgres -A scram-sha-256 --pwfile="$dir/password" -E UTF8 --no-sync &&
  "$1/pg_ctl" -D "$dir/data" -w -l "$dir/log" \
    -o "-F -k $dir -c listen_addresses=127.0.0.1 -p $2" start
} >"$dir/setup" 2>&1 </dev/null || { cat "$dir/setup" "$dir/log" >&2; rm -rf "$dir"; exit 1; }
echo up
cat >/dev/null
"$1/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

/// A running server.
pub struct Postgres {
    pub port: u16,
    bin: PathBuf,
    _watcher: Child,
}

impl Postgres {
    pub async fn start() -> Self {
        let bin = programs().expect("PostgreSQL is missing: install it (Debian: `apt install postgresql`)");
        // Free at this moment; if somebody else takes it, the server does not come up and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        let mut command = Command::new(if root { "setpriv" } else { "sh" });
        if root {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
        }
        let mut watcher = command
            .args(["-c", SCRIPT, "sh"])
            .arg(&bin)
            .args([&port.to_string(), PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(watcher.stdout.take().unwrap()).read_line(&mut said).await.unwrap();
        if said.trim() != "up" {
            let mut why = String::new();
            watcher.stderr.take().unwrap().read_to_string(&mut why).await.unwrap();
            panic!("PostgreSQL does not start: {why}");
        }
        Self { port, bin, _watcher: watcher }
    }

    /// Says something to the server as this user; an error is what the server said.
    pub async fn say(&self, user: &str, password: &str, sql: &str) -> Result<(), String> {
        let said = Command::new(self.bin.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user, "-d", "postgres", "-w"])
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGPASSWORD", password)
            .output()
            .await
            .unwrap();
        if said.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said.stderr).into_owned()) }
    }
}

/// The directory of `initdb` and `psql`: from the search path, or the newest of Debian's.
fn programs() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the search path is where programs are")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|bin| ["initdb", "psql"].iter().all(|program| bin.join(program).exists()))
}
