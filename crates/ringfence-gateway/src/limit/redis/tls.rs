//! Encrypted connections to the server, verified by the system's roots of trust or those of a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How a server shows that it is the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trust {
    /// The name in its certificate.
    pub(super) host: ServerName<'static>,
    /// The file with the roots of trust; the system's where absent.
    pub(super) roots: Option<PathBuf>,
}

/// Makes encrypted connections.
pub(super) struct Tls {
    connector: TlsConnector,
    host: ServerName<'static>,
}

impl Tls {
    pub(super) fn new(trust: &Trust) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots(trust.roots.as_deref())?)
            .with_no_client_auth();
        Ok(Self {
            connector: Arc::new(config).into(),
            host: trust.host.clone(),
        })
    }

    pub(super) async fn over(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.host.clone(), stream).await
    }
}

fn roots(file: Option<&Path>) -> io::Result<RootCertStore> {
    let certificates = match file {
        None => rustls_native_certs::load_native_certs().certs,
        Some(file) => certificates(file)
            .map_err(|_| io::Error::other("the file that `ssl_ca_certs` names cannot be read"))?,
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        // What is no certificate verifies nothing; the others still may.
        let _ = roots.add(certificate);
    }
    Ok(roots)
}

fn certificates(
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(file)?.collect()
}
