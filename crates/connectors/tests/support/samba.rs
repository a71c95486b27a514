//! A real Active Directory domain controller, Samba's, as a process of its own, and what is truly in it.
//!
//! Each has a domain `ACME.TEST` of its own on a loopback address of its own. On purpose it is LDAP alone:
//! no Kerberos, DNS, SMB, RPC or replication, so it is one process that needs nothing else of the machine.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    hash::{DefaultHasher, Hash, Hasher},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{ChildStdout, Command},
    sync::OnceCell,
};

const ADMIN_PASSWORD: &str = "Adm1n-of-the-tests";
/// What has to be on the machine, in one file of each package.
const NEEDED: [&str; 8] = [
    "/usr/sbin/samba",
    "/usr/bin/smbcontrol",
    "/usr/bin/ldbmodify",
    "/usr/bin/ldbsearch",
    "/usr/bin/ldapsearch",
    "/usr/bin/openssl",
    "/usr/lib/python3/dist-packages/samba/provision/__init__.py",
    "/usr/share/samba/setup/provision.ldif",
];
/// LDAP and the global catalogue, each in the clear and over TLS. Samba has no setting for them.
const PORTS: [u16; 4] = [389, 636, 3268, 3269];

/// Makes a domain in the folder it is given. `samba-tool domain provision` does the same and also sets
/// Windows' permissions on a share for files, which an unprivileged container does not allow.
const PROVISION: &str = r#"
import logging, sys
from samba.auth import system_session
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2
from samba.param import LoadParm
from samba.provision import FILL_FULL, provision

settings = LoadParm()
settings.set("ldb:nosync", "true")
provision(logging.getLogger(), system_session(), lp=settings, targetdir=sys.argv[1], adminpass=sys.argv[2],
          realm="ACME.TEST", domain="ACME", hostname="dc", hostip="127.0.0.1", use_rfc2307=True,
          serverrole="active directory domain controller", dns_backend="SAMBA_INTERNAL",
          samdb_fill=FILL_FULL, dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2)
"#;

/// Adds an entry to the access list of an object, deleted ones too.
const PERMIT: &str = r#"
import ldb, sys
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

_, settings, database, name, target, entry = sys.argv
lp = LoadParm()
lp.load(settings)
db = SamDB(url=database, session_info=system_session(lp), lp=lp)
who = db.search(db.domain_dn(), expression="(sAMAccountName=%s)" % name, attrs=["objectSid"])[0]
sid = ndr_unpack(security.dom_sid, who["objectSid"][0])
controls = ["show_deleted:1", "sd_flags:1:4"]
found = db.search(target, ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"], controls=controls)[0]
held = ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0])
more = security.descriptor.from_sddl("D:" + entry.replace("WHO", str(sid)), sid)
for ace in more.dacl.aces:
    held.dacl_add(ace)
change = ldb.Message(found.dn)
change["list"] = ldb.MessageElement(ndr_pack(held), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
db.modify(change, controls)
"#;

/// An entry as it is in the database: each attribute's values.
pub type Entry = BTreeMap<String, Vec<String>>;

/// A running domain controller; it ends with this value.
pub struct Samba {
    // It ends when its standard input does, so it ends with the tests even when they are killed.
    process: Child,
    // No two addresses are the same while this port is held.
    _held: TcpListener,
    root: TempDir,
    address: Ipv4Addr,
}

impl Drop for Samba {
    fn drop(&mut self) {
        // A controller that already ended is what is wanted, and its folder may go once it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program to its end and gives what it said.
async fn run(program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &str) -> String {
    let mut process = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // A program that does not listen says why in its output.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = process.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "`{program}`: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said.into_owned()
}

/// A folder with a fresh domain, to be copied. Making one takes seconds, so it is kept between runs.
async fn domain() -> &'static Path {
    static DOMAIN: OnceCell<PathBuf> = OnceCell::const_new();
    DOMAIN
        .get_or_init(|| async {
            let version = run("/usr/sbin/samba", ["--version"], "").await;
            let mut hasher = DefaultHasher::new();
            (version, PROVISION, ADMIN_PASSWORD).hash(&mut hasher);
            let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
            let kept = tmp.join(format!("samba-{:016x}", hasher.finish()));
            if !kept.exists() {
                let fresh = tempfile::tempdir_in(tmp).unwrap();
                let script = [OsStr::new("-c"), OsStr::new(PROVISION)];
                let arguments = [fresh.path().as_os_str(), OsStr::new(ADMIN_PASSWORD)];
                run("/usr/bin/python3", script.into_iter().chain(arguments), "").await;
                // Another process of tests may have been faster; its domain is as good.
                if std::fs::rename(fresh.path(), &kept).is_err() {
                    assert!(kept.exists(), "cannot keep a domain as `{}`", kept.display());
                }
            }
            kept
        })
        .await
}

/// A certificate authority in `folder`, and a certificate from it for a controller of these names.
async fn certify(folder: &Path, names: &str) {
    std::fs::create_dir(folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (ca, ca_key) = (file("ca.pem"), file("ca.key"));
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let own = ["req", "-x509", "-days", "3650", "-subj", "/CN=the tests", "-out", &ca, "-keyout", &ca_key];
    let authority = ["-addext", "basicConstraints=critical,CA:TRUE"];
    run("openssl", own.into_iter().chain(key).chain(authority), "").await;
    let (out, out_key) = (file("dc.pem"), file("dc.key"));
    let subject = ["req", "-x509", "-days", "3650", "-subj", "/CN=dc", "-out", &out, "-keyout", &out_key];
    let names = format!("subjectAltName={names}");
    let issued =
        ["-CA", &ca, "-CAkey", &ca_key, "-addext", "basicConstraints=critical,CA:FALSE", "-addext", &names];
    run("openssl", subject.into_iter().chain(key).chain(issued), "").await;
}

impl Samba {
    /// Starts a controller of a fresh domain and waits until it answers.
    pub async fn start() -> Self {
        Self::called(|address| format!("IP:{address},DNS:dc.acme.test")).await
    }

    /// The same, with a certificate of these names.
    pub async fn called(names: impl FnOnce(Ipv4Addr) -> String) -> Self {
        for file in NEEDED {
            assert!(Path::new(file).exists(), "`{file}` is missing: run `./test`, or `.ci/servers` as root");
        }
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let [high, low] = held.local_addr().unwrap().port().to_be_bytes();
        let address = Ipv4Addr::new(127, 77, high, low);
        for port in PORTS {
            TcpListener::bind((address, port)).unwrap_or_else(|error| {
                panic!(
                    "cannot listen on {address}:{port}: {error}. An Active Directory has no other ports, so \
                     its tests need root, and no other server on that port of all addresses"
                )
            });
        }
        let root = tempfile::tempdir().unwrap();
        let private = domain().await.join("private");
        run("cp", [OsStr::new("-a"), private.as_os_str(), root.path().as_os_str()], "").await;
        certify(&root.path().join("tls"), &names(address)).await;
        let path = root.path().display();
        let settings = format!(
            "[global]\n\
             netbios name = DC\n\
             realm = ACME.TEST\n\
             workgroup = ACME\n\
             server role = active directory domain controller\n\
             server services = ldap\n\
             dcerpc endpoint servers = -\n\
             interfaces = {address}/8\n\
             bind interfaces only = yes\n\
             private dir = {path}/private\n\
             lock directory = {path}/lock\n\
             state directory = {path}/state\n\
             cache directory = {path}/cache\n\
             pid directory = {path}/run\n\
             ncalrpc dir = {path}/ncalrpc\n\
             log file = {path}/log\n\
             tls cafile = {path}/tls/ca.pem\n\
             tls certfile = {path}/tls/dc.pem\n\
             tls keyfile = {path}/tls/dc.key\n\
             ldb:nosync = true\n"
        );
        std::fs::write(root.path().join("smb.conf"), settings).unwrap();
        for folder in ["lock", "state", "cache", "run"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let mut process = std::process::Command::new("/usr/sbin/samba")
            .args(["--interactive", "--model=single", "--debug-stdout", "--debuglevel=1"])
            .arg(format!("--configfile={path}/smb.conf"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = ChildStdout::from_std(process.stdout.take().unwrap()).unwrap();
        let samba = Self { process, _held: held, root, address };
        let ready = tokio::time::timeout(Duration::from_secs(60), samba.ready(output));
        let mut output = ready.await.expect("the controller does not come up");
        // A pipe that nobody reads would stop it.
        tokio::spawn(async move { tokio::io::copy(&mut output, &mut tokio::io::sink()).await });
        samba
    }

    /// Waits until the controller has started: it takes messages before it opens its ports, and answers
    /// them after.
    async fn ready(&self, output: ChildStdout) -> BufReader<ChildStdout> {
        let (mut output, mut said) = (BufReader::new(output), String::new());
        while !said.contains("process model") {
            let read = output.read_line(&mut said).await.unwrap();
            assert!(read > 0, "the controller did not come up: {said}");
        }
        let id = self.process.id().to_string();
        let ping = Command::new("smbcontrol").arg(self.settings()).args([&id, "ping"]).output().await;
        let pong = String::from_utf8(ping.unwrap().stdout).unwrap();
        if !pong.starts_with("PONG") || TcpStream::connect((self.address, PORTS[3])).await.is_err() {
            output.read_to_string(&mut said).await.unwrap();
            panic!("the controller did not come up: {said}");
        }
        output
    }

    /// Ends it now.
    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Whether somebody is let in, asked past the connector.
    pub async fn lets_in(&self, dn: &str, password: &str) -> bool {
        let asked = Command::new("/usr/bin/ldapsearch")
            .env("LDAPTLS_CACERT", self.ca_file())
            .args(["-x", "-H", &self.endpoint(), "-D", dn, "-w", password, "-s", "base", "-b", "", "1.1"])
            .output();
        let asked = asked.await.unwrap();
        let said = String::from_utf8_lossy(&asked.stderr);
        assert!(asked.status.success() || said.contains("Invalid credentials (49)"), "{said}");
        asked.status.success()
    }

    fn settings(&self) -> String {
        format!("--configfile={}/smb.conf", self.root.path().display())
    }

    /// Where it listens with TLS. A host name in its certificate is this address and `dc.acme.test`.
    pub fn endpoint(&self) -> String {
        format!("ldaps://{}", self.address)
    }

    /// Where it listens in the clear; it lets nobody bind there with a password before StartTLS.
    pub fn endpoint_in_clear(&self) -> String {
        format!("ldap://{}", self.address)
    }

    /// The certificate of the authority that issued the controller's, as PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.root.path().join("tls/ca.pem")
    }

    /// The distinguished name of the domain.
    pub fn base_dn(&self) -> &'static str {
        "DC=acme,DC=test"
    }

    /// The distinguished name and the password of who may do everything.
    pub fn admin(&self) -> (&'static str, &'static str) {
        ("CN=Administrator,CN=Users,DC=acme,DC=test", ADMIN_PASSWORD)
    }

    fn database(&self) -> String {
        self.root.path().join("private/sam.ldb").display().to_string()
    }

    /// Gives who signs in as `name` what `entry` says (SDDL, MS-DTYP §2.5.1, with `WHO` for who it is) over
    /// the object called `target`.
    pub async fn permit(&self, name: &str, target: &str, entry: &str) {
        let settings = format!("{}/smb.conf", self.root.path().display());
        run("/usr/bin/python3", ["-c", PERMIT, &settings, &self.database(), name, target, entry], "").await;
    }

    /// Runs a program on the database itself, past the controller.
    async fn on_database(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let database = self.database();
        let first = ["-H".to_owned(), database, self.settings()];
        run(program, first.into_iter().chain(arguments.iter().map(|argument| (*argument).to_owned())), input)
            .await
    }

    /// Makes changes past the controller, as LDIF (RFC 2849); each record has a `changetype`.
    pub async fn change(&self, ldif: &str) {
        self.on_database("ldbmodify", &[], ldif).await;
    }

    /// Adds a person who may sign in as `name` with a password that the domain's policy allows: seven
    /// characters of three kinds.
    pub async fn add_user(&self, dn: &str, name: &str, password: &str) {
        let quoted: Vec<u8> = format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let ldif = [
            line("dn", dn.as_bytes()),
            "changetype: add\nobjectClass: user\nuserAccountControl: 512\n".into(),
            line("sAMAccountName", name.as_bytes()),
            line("unicodePwd", &quoted),
        ];
        self.change(&ldif.concat()).await;
    }

    /// Adds a group with these members, by their distinguished names.
    pub async fn add_group(&self, dn: &str, name: &str, members: &[&str]) {
        let head = [line("dn", dn.as_bytes()), "changetype: add\nobjectClass: group\n".into()];
        let name = line("sAMAccountName", name.as_bytes());
        let members = members.iter().map(|member| line("member", member.as_bytes()));
        self.change(&head.into_iter().chain([name]).chain(members).collect::<String>()).await;
    }

    /// What is in the domain and matches the filter. `unicodePwd` is the hash of its password.
    pub async fn entries(&self, filter: &str) -> Vec<Entry> {
        let said =
            self.on_database("ldbsearch", &["-b", self.base_dn(), filter, "*", "unicodePwd"], "").await;
        entries(&said)
    }

    /// What was in the domain, is deleted, and matches the filter.
    pub async fn tombstones(&self, filter: &str) -> Vec<Entry> {
        let filter = format!("(&(isDeleted=TRUE){filter})");
        let arguments = ["--show-deleted", "-b", self.base_dn(), &filter, "*"];
        entries(&self.on_database("ldbsearch", &arguments, "").await)
    }
}

/// A line of LDIF with any bytes as its value.
pub fn line(attribute: &str, value: &[u8]) -> String {
    format!("{attribute}:: {}\n", STANDARD.encode(value))
}

/// The entries in what `ldbsearch` says.
fn entries(ldif: &str) -> Vec<Entry> {
    let unfolded = ldif.replace("\n ", "");
    let record = |record: &str| {
        let mut entry = Entry::new();
        for line in record.lines().filter(|line| !line.starts_with('#')) {
            let (attribute, value) = line.split_once(':').unwrap();
            let value = match value.strip_prefix(": ") {
                Some(encoded) => String::from_utf8_lossy(&STANDARD.decode(encoded).unwrap()).into_owned(),
                None => value.trim_start().to_owned(),
            };
            entry.entry(attribute.to_owned()).or_default().push(value);
        }
        entry
    };
    unfolded.split("\n\n").map(record).filter(|entry| entry.contains_key("dn")).collect()
}
