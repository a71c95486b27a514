//! Whom a system's certificate is believed from, against real TLS servers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject},
    },
};

use bailiwick_core::review::Whereabouts;

use super::places::{self, NetworkPlaces, Places};
use super::{HttpLimits, HttpTransport, Transport, TransportError, TransportErrorKind, TrustAnchor};

/// An authority: its certificate in PEM, and what signs with it.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A server with a certificate of this authority for `name`, which answers everybody `hi`; its port.
    async fn serve(&self, name: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not believe the certificate hangs up here.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
                    .await;
                let _ = stream.shutdown().await;
            }
        });
        port
    }
}

/// Sends a request that trusts the authority in the file alone, or those of the machine.
async fn send(
    transport: &HttpTransport,
    address: String,
    anchor: Option<&std::path::Path>,
) -> Result<Bytes, TransportError> {
    let mut request = ::http::Request::get(address).body(Bytes::new()).unwrap();
    if let Some(file) = anchor {
        request.extensions_mut().insert(TrustAnchor(file.into()));
    }
    transport.send(request).await.map(::http::Response::into_body)
}

#[tokio::test]
async fn only_the_named_authority_vouches_for_a_system_and_nothing_goes_in_plain_text() {
    let limits = HttpLimits { connect: Duration::from_secs(20), overall: Duration::from_secs(20), body: 64 };
    let transport = HttpTransport::new(&limits).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let port = ours.serve("127.0.0.1").await;
    let address = || format!("https://127.0.0.1:{port}/");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let right = file("ours.pem", &ours.pem);
    let wrong = file("other.pem", &other.pem);
    assert_eq!(send(&transport, address(), Some(&right)).await.unwrap(), "hi");

    let refused = async |anchor: Option<&std::path::Path>, address: String, says: &str| {
        let error = send(&transport, address, anchor).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (TransportErrorKind::Unreachable, false), "{error}");
        assert!(error.cause.contains(says), "{error}, expected {says}");
    };
    refused(Some(&wrong), address(), "certificate").await;
    refused(None, address(), "certificate").await;
    refused(Some(&folder.path().join("none.pem")), address(), "cannot be read").await;
    refused(Some(&file("empty.pem", "")), address(), "no certificate").await;
    refused(
        Some(&file("text.pem", "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n")),
        address(),
        "ca_file",
    )
    .await;
    // The certificate is for another name.
    let elsewhere = ours.serve("other.example").await;
    refused(Some(&right), format!("https://127.0.0.1:{elsewhere}/"), "certificate").await;
    // A server that speaks plain text is not spoken to, and no plain address is.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let plain_port = plain.local_addr().unwrap().port();
    let listening = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = plain.accept().unwrap();
        let mut head = [0; 512];
        let read = stream.read(&mut head).unwrap_or(0);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        head[..read].to_vec()
    });
    refused(Some(&right), format!("https://127.0.0.1:{plain_port}/"), "").await;
    let said = listening.join().unwrap();
    assert!(!String::from_utf8_lossy(&said).contains("GET /"), "nothing readable was said");
    refused(Some(&right), format!("http://127.0.0.1:{plain_port}/"), "").await;
    // An authority that was replaced in its file counts from then on.
    std::fs::write(&right, &other.pem).unwrap();
    refused(Some(&right), address(), "certificate").await;
    std::fs::write(&wrong, &ours.pem).unwrap();
    assert_eq!(send(&transport, address(), Some(&wrong)).await.unwrap(), "hi");
}

#[tokio::test]
async fn the_certificate_at_a_callback_is_known_again_and_only_one_to_believe_counts() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (first, second) = (ours.serve("callback.example").await, ours.serve("callback.example").await);
    let config = |authority: &Authority| {
        let mut roots = rustls::RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    };
    let shown = async |port: u16, host: &str, authority: &Authority| {
        places::shown(([127, 0, 0, 1], port).into(), host.to_owned(), config(authority)).await
    };
    let pinned = shown(first, "callback.example", &ours).await;
    assert!(pinned.is_some());
    assert_eq!(shown(first, "callback.example", &ours).await, pinned, "the same place shows the same");
    assert_ne!(shown(second, "callback.example", &ours).await, pinned, "another place is not taken for it");
    assert_eq!(shown(first, "another.example", &ours).await, None, "it is for another name");
    assert_eq!(shown(first, "callback.example", &other).await, None, "nobody vouches for it");

    // Inside, a name is looked up, and nobody knocks.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    match NetworkPlaces.place(&format!("https://localhost:{port}/hook")).await {
        Whereabouts::Found { hosts, certificate } => {
            assert!(hosts.contains("127.0.0.1"), "{hosts:?}");
            assert_eq!(certificate, None);
        }
        lost @ Whereabouts::Lost { .. } => panic!("{lost:?}"),
    }
    tokio::select! {
        biased;
        came = listener.accept() => panic!("{came:?}"),
        () = std::future::ready(()) => {}
    }
    let lost = NetworkPlaces.place("https://no-such-name.invalid/").await;
    assert!(matches!(lost, Whereabouts::Lost { .. }), "{lost:?}");
}
