//! Where the addresses lead that integrations call back: hosts, and the certificate that is shown there.
//!
//! Nothing is asked and no credential is shown: a name is looked up, and where it leads to the open network a TLS
//! handshake is made and broken off. Absent: any judgement; that is a reviewer's.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bailiwick_core::{digest::Digest, review::Place};
use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// How long one address may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds out where addresses lead.
#[async_trait]
pub trait Places: Send + Sync {
    /// Where the address leads now. What cannot be found is lost, not an error.
    async fn place(&self, address: &str) -> Place;
}

/// The network of this machine.
#[derive(Debug, Default)]
pub struct NetworkPlaces;

#[async_trait]
impl Places for NetworkPlaces {
    async fn place(&self, address: &str) -> Place {
        match timeout(PATIENCE, find(address)).await {
            Ok(Ok(place)) => place,
            Ok(Err(why)) => Place::Lost { why },
            Err(_) => Place::Lost { why: "nothing answered in time".into() },
        }
    }
}

async fn find(address: &str) -> Result<Place, String> {
    let uri: ::http::Uri = address.parse().map_err(|_| "it is no address".to_owned())?;
    let host = uri.host().ok_or("it has no host")?.trim_matches(['[', ']']).to_owned();
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found: Vec<SocketAddr> = found.map_err(|error| format!("its name is not found: {error}"))?.collect();
    let hosts: BTreeSet<String> = found.iter().map(|address| address.ip().to_string()).collect();
    // Whoever writes a callback must not have the hub knock at doors inside.
    let open = found.first().filter(|_| secure && found.iter().all(|address| is_open(address.ip())));
    let certificate = match open {
        Some(address) => shown(*address, host).await,
        None => None,
    };
    Ok(Place::Found { hosts, certificate })
}

async fn shown(address: SocketAddr, host: String) -> Option<Digest> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let config = config.with_platform_verifier().ok()?.with_no_client_auth();
    let socket = TcpStream::connect(address).await.ok()?;
    let name = ServerName::try_from(host).ok()?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.ok()?;
    let (_, session) = stream.get_ref();
    session.peer_certificates()?.first().map(|certificate| Digest::of(certificate))
}

/// Whether the address is of the open network.
fn is_open(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || first == 0
                || (first == 100 && (64..128).contains(&second)))
        }
        IpAddr::V6(ip) => match ip.to_ipv4() {
            Some(inner) => is_open(IpAddr::V4(inner)),
            None => {
                let [first, ..] = ip.segments();
                !(ip.is_multicast() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_network_is_knocked_at() {
        for (address, expect) in [
            ("93.184.216.34", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("fd00::1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_open(address.parse().unwrap()), expect, "{address}");
        }
    }
}
