//! From the name of an endpoint to the addresses that a connection may go to.
//!
//! Every wire asks here, once for each connection that it makes, and connects to what it is given: nothing
//! is looked up a second time behind the judgement. The PostgreSQL driver is the exception: it takes the
//! name itself where it must prove it to TLS; then the name was judged just before, and no credential is
//! shown to a server that cannot prove it.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;

use super::{
    network::{Astray, Reach},
    transport::{TransportError, TransportErrorKind},
};

/// Looks names up.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of a name.
    async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// As this machine does it.
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// What a wire needs to know to make a connection: who looks the name up, and where it may lead.
#[derive(Clone)]
pub struct Guide {
    resolver: Arc<dyn Resolver>,
    reach: Reach,
}

/// Why there is no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The name is not known.
    #[error("its name cannot be resolved: {0}")]
    Unknown(#[from] io::Error),
    /// It leads to where it may not.
    #[error(transparent)]
    Astray(#[from] Astray),
}

impl Guide {
    /// A guide by this resolver to where `reach` allows.
    pub fn new(resolver: Arc<dyn Resolver>, reach: Reach) -> Self {
        Self { resolver, reach }
    }

    /// Where the name may lead.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The addresses to connect to, each of them judged. A literal address is taken as it is: the endpoint
    /// is registered at it.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Lost> {
        if let Ok(literal) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(literal, port)]);
        }
        let found = self.resolver.look_up(host).await?;
        // One address that may not be is enough: whoever mixed it in means the others no better.
        for address in &found {
            self.reach.allows(*address)?;
        }
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address").into());
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl fmt::Debug for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guide").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl PartialEq for Guide {
    fn eq(&self, other: &Self) -> bool {
        self.reach == other.reach && Arc::ptr_eq(&self.resolver, &other.resolver)
    }
}
impl Eq for Guide {}

impl From<Lost> for TransportError {
    fn from(lost: Lost) -> Self {
        let kind = match &lost {
            Lost::Unknown(_) => TransportErrorKind::Unreachable,
            Lost::Astray(_) => TransportErrorKind::Astray,
        };
        Self { kind, sent: false, cause: lost.to_string() }
    }
}
