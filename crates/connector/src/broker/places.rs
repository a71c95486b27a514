//! Where the addresses lead that integrations call back: hosts, and the certificate that is shown there.
//!
//! Nothing is asked and no credential is shown: a name is looked up, and where it leads to the open network a TLS
//! handshake is made and broken off. Absent: any judgement; that is a reviewer's.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bailiwick_core::{digest::Digest, review::Whereabouts};
use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::network::Place;

/// How long one address may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds out where addresses lead.
#[async_trait]
pub trait Places: Send + Sync {
    /// Where the address leads now. What cannot be found is lost, not an error.
    async fn place(&self, address: &str) -> Whereabouts;
}

/// The network of this machine.
#[derive(Debug, Default)]
pub struct NetworkPlaces;

#[async_trait]
impl Places for NetworkPlaces {
    async fn place(&self, address: &str) -> Whereabouts {
        match timeout(PATIENCE, find(address)).await {
            Ok(Ok(place)) => place,
            Ok(Err(why)) => Whereabouts::Lost { why },
            Err(_) => Whereabouts::Lost { why: "nothing answered in time".into() },
        }
    }
}

async fn find(address: &str) -> Result<Whereabouts, String> {
    let uri: ::http::Uri = address.parse().map_err(|_| "it is no address".to_owned())?;
    let host = uri.host().ok_or("it has no host")?.trim_matches(['[', ']']).to_owned();
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found: Vec<SocketAddr> = found.map_err(|error| format!("its name is not found: {error}"))?.collect();
    let hosts: BTreeSet<String> = found.iter().map(|address| address.ip().to_string()).collect();
    // Whoever writes a callback must not have the hub knock at doors inside.
    let open = found
        .first()
        .filter(|_| secure && found.iter().all(|address| Place::of(address.ip()) == Place::Public));
    let certificate = match open {
        Some(address) => match believing_as_this_machine() {
            Some(config) => shown(*address, host, config).await,
            None => None,
        },
        None => None,
    };
    Ok(Whereabouts::Found { hosts, certificate })
}

fn believing_as_this_machine() -> Option<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(config.with_platform_verifier().ok()?.with_no_client_auth())
}

/// The digest of the certificate that is shown for the host at an address, if it is one to believe.
pub(super) async fn shown(address: SocketAddr, host: String, config: ClientConfig) -> Option<Digest> {
    let socket = TcpStream::connect(address).await.ok()?;
    let name = ServerName::try_from(host).ok()?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.ok()?;
    let (_, session) = stream.get_ref();
    session.peer_certificates()?.first().map(|certificate| Digest::of(certificate))
}
