//! An authority of a test's own, and a server's certificate from it.

use std::{path::Path, process::Command};

/// Puts `ca.pem`, `server.pem` and `server.key` into a folder: an authority, and a certificate from it for
/// `names`, such as `DNS:localhost,IP:127.0.0.1`.
pub fn certify(folder: &Path, names: &str) {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let make = |arguments: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        let made = openssl.args(["-days", "30"]).args(arguments).output();
        let made = made.expect("`openssl` is missing: run `./test`, or `.ci/servers` as root");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let (ca, ca_key, cert, key) = (at("ca.pem"), at("ca.key"), at("server.pem"), at("server.key"));
    let authority = ["-subj", "/CN=the authority", "-addext", "basicConstraints=critical,CA:TRUE"];
    make(&[&authority[..], &["-out", &ca, "-keyout", &ca_key]].concat());
    let names = format!("subjectAltName={names}");
    let issued = [
        "-subj",
        "/CN=server",
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    make(&[&issued[..], &["-addext", &names, "-out", &cert, "-keyout", &key]].concat());
}
