//! A real OpenLDAP server as a process of its own, and what is truly in it. It ends with its value.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use async_trait::async_trait;
use bailiwick_connector::broker::ldap::{Directory, Sockets};
use bailiwick_core::dn::Dn;
use base64::{Engine, engine::general_purpose::STANDARD};
use tempfile::TempDir;

use super::ldap_bench::{BASE, HUB, Raw, SECRET, Tree};

const ROOT: &str = "cn=root,dc=acme,dc=example";
const ROOT_SECRET: &str = "the-password-of-root";

/// What the default password policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The overlay is not there.
    NoOverlay,
    /// There is none.
    None,
    /// It has no `pwdLockout`.
    Lax,
    /// It has `pwdLockout: TRUE`.
    Strict,
}

/// How a server is set up.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'s> {
    pub policy: Policy,
    /// Whether it remembers what was deleted.
    pub session_log: bool,
    /// Whether it reads that from its access log, so that it knows it after a restart too.
    pub from_access_log: bool,
    /// A folder with `ca.pem`, `server.pem` and `server.key`.
    pub tls: Option<&'s Path>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { policy: Policy::Strict, session_log: true, from_access_log: false, tls: None }
    }
}

/// A running server.
pub struct Slapd {
    process: Child,
    folder: TempDir,
    urls: String,
    name: String,
    pub port: u16,
    pub tls_port: u16,
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The path of a program.
fn program(name: &str) -> String {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/libexec", "/usr/libexec"];
    let found = places.iter().map(|place| format!("{place}/{name}")).find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| {
        panic!("`{name}` is missing: run `./test`, or `apt-get install slapd ldap-utils openssl`")
    })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs a program to its end; gives what it printed.
pub fn run(name: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new(program(name))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = input.to_owned();
    let writer = thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(printed),
        false => Err(format!("{printed}\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn config(folder: &Path, setup: Setup<'_>) -> String {
    let at = folder.display();
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson", "nis"] {
        writeln!(text, "include /etc/ldap/schema/{schema}.schema").unwrap();
    }
    text.push_str("modulepath /usr/lib/ldap\n");
    let policies = (setup.policy != Policy::NoOverlay).then_some("ppolicy");
    for module in ["back_mdb", "memberof", "refint", "syncprov", "accesslog"].into_iter().chain(policies) {
        writeln!(text, "moduleload {module}").unwrap();
    }
    if let Some(tls) = setup.tls {
        let tls = tls.display();
        writeln!(
            text,
            "TLSCACertificateFile {tls}/ca.pem\nTLSCertificateFile {tls}/server.pem\nTLSCertificateKeyFile {tls}/server.key"
        )
        .unwrap();
    }
    let hub = format!("dn.exact=\"{HUB}\"");
    write!(
        text,
        "pidfile {at}/pid\nargsfile {at}/args\nthreads 4\n\
         database config\nrootdn cn=config\nrootpw {ROOT_SECRET}\n\
         access to * by * none\n\
         database mdb\nsuffix cn=log\nrootdn cn=log\ndirectory {at}/log\nmaxsize 1073741824\ndbnosync\n\
         index objectClass,entryCSN,reqStart,reqEnd,reqResult eq\n\
         overlay syncprov\nsyncprov-nopresent TRUE\nsyncprov-reloadhint TRUE\n\
         database mdb\nsuffix {BASE}\nrootdn {ROOT}\nrootpw {ROOT_SECRET}\n\
         directory {at}/db\nmaxsize 4294967296\ndbnosync\n\
         index objectClass,uid,cn,member,memberOf,memberUid,employeeNumber,entryUUID,entryCSN eq\n\
         limits {hub} size=unlimited size.prtotal=unlimited\n\
         access to attrs=userPassword by {hub} write by anonymous auth by * none\n\
         access to * by {hub} write by * none\n\
         overlay memberof\noverlay refint\nrefint_attributes member\nrefint_nothing {HUB}\n"
    )
    .unwrap();
    match setup.policy {
        Policy::NoOverlay => {}
        Policy::None => text.push_str("overlay ppolicy\n"),
        Policy::Lax | Policy::Strict => {
            writeln!(text, "overlay ppolicy\nppolicy_default cn=default,ou=policies,{BASE}").unwrap();
        }
    }
    text.push_str("overlay accesslog\nlogdb cn=log\nlogops writes\nlogsuccess TRUE\noverlay syncprov\n");
    match (setup.session_log, setup.from_access_log) {
        (false, _) => {}
        (true, false) => text.push_str("syncprov-sessionlog 1000\n"),
        (true, true) => text.push_str("syncprov-sessionlog-source cn=log\n"),
    }
    writeln!(text, "database monitor\naccess to * by dn.exact=\"{ROOT}\" read by * none").unwrap();
    text
}

/// Starts a server, and waits until it says that it listens.
fn launch(folder: &Path, urls: &str) -> Child {
    let file = folder.join("slapd.conf");
    let mut process = Command::new(program("slapd"))
        .args(["-h", urls, "-f", file.to_str().unwrap(), "-d", "conns"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap());
    let (mut line, mut all) = (String::new(), String::new());
    // It says that it starts before it listens, and that it waits after.
    while !line.contains("epoll: listen=") {
        all.push_str(&line);
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "slapd does not start:\n{all}");
    }
    // Whatever else it says must not fill the pipe.
    thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    process
}

impl Slapd {
    /// Starts a server with nobody in it, and waits until it says that it listens.
    pub fn start(setup: Setup<'_>) -> Self {
        Self::with(setup, "")
    }

    /// Starts a server with these entries in it besides the ground, which is much faster than asking for each.
    pub fn with(setup: Setup<'_>, entries: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["db", "log"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let file = folder.path().join("slapd.conf");
        fs::write(&file, config(folder.path(), setup)).unwrap();
        let all = ground(setup.policy) + entries;
        run("slapadd", &["-q", "-f", file.to_str().unwrap(), "-b", BASE], &all).unwrap();
        Self::serve(folder, setup)
    }

    fn serve(folder: TempDir, setup: Setup<'_>) -> Self {
        let (port, tls_port) = (free_port(), free_port());
        let mut urls = format!("ldap://127.0.0.1:{port}/");
        if setup.tls.is_some() {
            write!(urls, " ldaps://127.0.0.1:{tls_port}/").unwrap();
        }
        let process = launch(folder.path(), &urls);
        let name = format!("slapd, policy {:?}, session log {}", setup.policy, setup.session_log);
        Self { process, folder, urls, name, port, tls_port }
    }

    /// Ends it, as its administrator does or as the kernel does, and starts it again.
    pub fn restart(&mut self, gently: bool) {
        match gently {
            true => {
                let id = self.process.id().to_string();
                assert!(Command::new("kill").arg(&id).status().unwrap().success());
                self.process.wait().unwrap();
            }
            false => self.stop(),
        }
        self.process = launch(self.folder.path(), &self.urls);
    }

    /// Runs a tool of OpenLDAP against it, as root.
    pub fn tool(&self, name: &str, arguments: &[&str], input: &str) -> Result<String, String> {
        self.tool_as(ROOT, ROOT_SECRET, name, arguments, input)
    }

    fn tool_as(
        &self,
        user: &str,
        password: &str,
        name: &str,
        arguments: &[&str],
        input: &str,
    ) -> Result<String, String> {
        let url = format!("ldap://127.0.0.1:{}", self.port);
        let mut all = vec!["-x", "-H", &url, "-D", user, "-w", password];
        all.extend(arguments);
        run(name, &all, input)
    }

    /// Ends it now.
    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Whether somebody is let in, asked past the connector.
    pub fn lets_in(&self, dn: &Dn, password: &str) -> bool {
        self.tool_as(&dn.to_string(), password, "ldapwhoami", &[], "").is_ok()
    }

    /// Everything that is in it, as LDIF.
    fn everything(&self) -> String {
        let wanted =
            ["(!(objectClass=domain))", "*", "entryUUID", "entryCSN", "pwdAccountLockedTime", "memberOf"];
        let arguments = [&["-LLL", "-o", "ldif-wrap=no", "-b", BASE], &wanted[..]].concat();
        self.tool("ldapsearch", &arguments, "").unwrap()
    }

    /// What is stored in the entries that a filter picks, byte for byte: each attribute's values, and its name as
    /// `dn`. Referrals are entries here.
    pub fn stored(&self, filter: &str) -> Vec<Stored> {
        let all = ["-M", "-LLL", "-o", "ldif-wrap=no", "-b", BASE, filter, "*", "+"];
        let said = self.tool("ldapsearch", &all, "").unwrap();
        said.split("\n\n").filter(|block| !block.is_empty()).map(entry).collect()
    }

    /// How many connections it took so far, this question among them.
    pub fn connections(&self) -> u64 {
        let all = ["-LLL", "-s", "base", "-b", "cn=Total,cn=Connections,cn=Monitor", "monitorCounter"];
        let said = self.tool("ldapsearch", &all, "").unwrap();
        said.lines().find_map(|line| line.strip_prefix("monitorCounter: ")).unwrap().parse().unwrap()
    }

    /// Adds entries, as root.
    pub fn add(&self, entries: &[Raw]) {
        let text: String = entries.iter().map(ldif).collect();
        self.tool("ldapadd", &["-c"], &text).unwrap();
    }
}

/// What is there before anybody is.
fn ground(policy: Policy) -> String {
    let mut all = vec![
        Raw { dn: BASE.parse().unwrap(), ..Raw::new("", &[("dc", &["acme"]), ("objectClass", &["domain"])]) },
        Raw::new(BASE, &[("cn", &["hub"]), ("objectClass", &["person"]), ("sn", &["hub"])])
            .with("userPassword", SECRET.as_bytes()),
    ];
    let unit = |name| Raw::new(BASE, &[("ou", &[name]), ("objectClass", &["organizationalUnit"])]);
    all.extend(["people", "groups", "staff", "policies"].map(unit));
    if matches!(policy, Policy::Lax | Policy::Strict) {
        let lockout = if policy == Policy::Strict { "TRUE" } else { "FALSE" };
        all.push(Raw::new(
            "ou=policies,dc=acme,dc=example",
            &[
                ("cn", &["default"]),
                ("objectClass", &["pwdPolicy", "device"]),
                ("pwdAttribute", &["userPassword"]),
                ("pwdLockout", &[lockout]),
            ],
        ));
    }
    all.iter().map(ldif).collect()
}

/// An entry as LDIF (RFC 2849), every value in base64.
pub fn ldif(raw: &Raw) -> String {
    let mut text = format!("dn:: {}\n", STANDARD.encode(raw.dn.to_string()));
    for (name, values) in &raw.attributes {
        for value in values {
            writeln!(text, "{name}:: {}", STANDARD.encode(value)).unwrap();
        }
    }
    text + "\n"
}

#[async_trait]
impl Tree for Slapd {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn endpoint(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    fn wire(&self) -> Arc<dyn Directory> {
        Arc::new(Sockets::default())
    }

    async fn fill(&self, entries: &[Raw]) {
        for place in ["people", "groups", "staff"] {
            let base = format!("ou={place},{BASE}");
            let there =
                self.tool("ldapsearch", &["-LLL", "-o", "ldif-wrap=no", "-b", &base, "-s", "one", "1.1"], "");
            let names = dns(&there.unwrap());
            if !names.is_empty() {
                let gone = self.tool("ldapdelete", &["-c"], &(names.join("\n") + "\n"));
                gone.unwrap_or_else(|e| panic!("{names:?} {e}"));
            }
        }
        // What an overlay keeps for itself is refused in a new entry, and set right after.
        let (mut plain, mut later) = (Vec::new(), String::new());
        for raw in entries {
            let (kept, rest): (Vec<_>, Vec<_>) =
                raw.attributes.iter().cloned().partition(|(name, _)| name == "pwdAccountLockedTime");
            plain.push(Raw { dn: raw.dn.clone(), attributes: rest });
            for (name, values) in kept {
                let dn = STANDARD.encode(raw.dn.to_string());
                let value = STANDARD.encode(&values[0]);
                writeln!(later, "dn:: {dn}\nchangetype: modify\nadd: {name}\n{name}:: {value}\n").unwrap();
            }
        }
        self.add(&plain);
        if !later.is_empty() {
            self.tool("ldapmodify", &[], &later).unwrap();
        }
    }

    async fn ids(&self, names: &[Dn]) -> Vec<String> {
        let all =
            self.tool("ldapsearch", &["-LLL", "-o", "ldif-wrap=no", "-b", BASE, "entryUUID"], "").unwrap();
        let mut known: Vec<(Dn, String)> = Vec::new();
        for block in all.split("\n\n") {
            let id = block.lines().find_map(|line| line.strip_prefix("entryUUID: "));
            known.extend(dns(block).into_iter().zip(id).map(|(dn, id)| (dn.parse().unwrap(), id.to_owned())));
        }
        let id = |name: &Dn| known.iter().find(|(dn, _)| dn == name).unwrap().1.clone();
        names.iter().map(id).collect()
    }

    async fn truth(&self) -> String {
        let all = self.everything();
        let mut blocks: Vec<&str> = all.split("\n\n").collect();
        blocks.sort_unstable();
        blocks.join("\n\n")
    }

    async fn entries(&self) -> Vec<Raw> {
        self.everything().split("\n\n").filter_map(raw).collect()
    }

    async fn hide(&self, hides: bool) {
        let limits = match hides {
            true => "size=2 size.prtotal=2",
            false => "size=unlimited size.prtotal=unlimited",
        };
        let change = format!(
            "dn: olcDatabase={{2}}mdb,cn=config\nchangetype: modify\nreplace: olcLimits\n\
             olcLimits: dn.exact=\"{HUB}\" {limits}\n"
        );
        self.tool_as("cn=config", ROOT_SECRET, "ldapmodify", &[], &change).unwrap();
    }
}

/// An entry as it is stored: each attribute's values.
pub type Stored = BTreeMap<String, Vec<Vec<u8>>>;

/// An entry in LDIF whose lines are not folded.
fn entry(block: &str) -> Stored {
    let mut stored = Stored::new();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap();
        let value = match value.strip_prefix(": ") {
            Some(coded) => STANDARD.decode(coded).unwrap(),
            None => value.trim_start_matches(' ').as_bytes().to_vec(),
        };
        stored.entry(name.to_owned()).or_default().push(value);
    }
    stored
}

/// An entry of LDIF as what would be added; there is none where it ends.
fn raw(block: &str) -> Option<Raw> {
    let mut stored = entry(block);
    let dn = stored.remove("dn")?.pop()?;
    let dn = String::from_utf8(dn).unwrap().parse().unwrap();
    Some(Raw { dn, attributes: stored.into_iter().collect() })
}

/// The names of entries in LDIF.
fn dns(text: &str) -> Vec<String> {
    let decoded = |line: &str| -> Option<String> {
        match line.strip_prefix("dn:: ") {
            Some(coded) => Some(String::from_utf8(STANDARD.decode(coded).unwrap()).unwrap()),
            None => line.strip_prefix("dn: ").map(str::to_owned),
        }
    };
    text.lines().filter_map(decoded).collect()
}
