//! The hub's certificate, read again when another one lies there.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{io::AsyncRead, io::AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    failure::{Failure, Result},
    profile::private,
};

/// Where the certificate and its key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, PEM, the hub's own first.
    pub chain: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
}

/// What secures connections: TLS 1.2 and 1.3, HTTP/1.1.
pub struct Certificates {
    files: TlsFiles,
    now: RwLock<(Arc<ServerConfig>, Written)>,
}

/// When the files were written.
type Written = [Option<SystemTime>; 2];

impl Certificates {
    /// Reads them.
    ///
    /// # Errors
    /// `tls-unreadable`, `tls-key-open`, `tls-unfit`.
    pub fn load(files: TlsFiles) -> Result<Self> {
        let written = files.written();
        let read = files.read()?;
        Ok(Self { files, now: RwLock::new((read, written)) })
    }

    /// Reads them again if they were written since. What cannot be used is told, and the one before stays.
    pub fn renew(&self) {
        let written = self.files.written();
        if self.now.read().unwrap_or_else(PoisonError::into_inner).1 == written {
            return;
        }
        match self.files.read() {
            Ok(read) => {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = (read, written);
                tracing::info!("there is another certificate, which is used from now on");
            }
            Err(failure) => {
                tracing::error!(
                    code = failure.code(),
                    detail = failure.problem.detail,
                    "the certificate stays"
                );
            }
        }
    }

    /// Shakes hands.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let config = Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner).0);
        TlsAcceptor::from(config).accept(stream).await
    }
}

impl TlsFiles {
    fn read(&self) -> Result<Arc<ServerConfig>> {
        if self.key.exists() && !private(&self.key) {
            let message = format!("others can read the key `{}` of the certificate", self.key.display());
            return Err(Failure::usage("tls-key-open", message));
        }
        let chain = CertificateDer::pem_file_iter(&self.chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(&self.chain, &error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unreadable(&self.key, &error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| {
            let message = format!("`{}` and its key cannot be used", self.chain.display());
            Failure::usage("tls-unfit", message).because(&error)
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn written(&self) -> Written {
        [&self.chain, &self.key].map(|file| std::fs::metadata(file).and_then(|found| found.modified()).ok())
    }
}

fn unreadable(file: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::usage("tls-unreadable", format!("cannot read `{}`", file.display())).because(error)
}
