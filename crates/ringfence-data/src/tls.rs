//! Encrypted connections, by the trust that an address asks for.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::address::{AddressError, Trust};

/// The one provider of cryptography that is linked in.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// How a client of that trust makes encrypted connections.
pub(crate) fn config(trust: &Trust) -> Result<ClientConfig, AddressError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|_| AddressError::Roots)?;
    Ok(match trust {
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider())))
            .with_no_client_auth(),
        Trust::Authority(file) => {
            let roots = Arc::new(roots(file.as_deref())?);
            let inner = WebPkiServerVerifier::builder_with_provider(roots, provider())
                .build()
                .map_err(|_| AddressError::Roots)?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Authority(inner)))
                .with_no_client_auth()
        }
        Trust::Verified(file) => builder
            .with_root_certificates(roots(file.as_deref())?)
            .with_no_client_auth(),
    })
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, AddressError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        // What is no certificate verifies nothing; the others still may.
        let _ = roots.add(certificate);
    }
    Ok(roots)
}

/// The roots of trust: those of a file, or the system's.
pub(crate) fn certificates(
    file: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, AddressError> {
    const MOST: u64 = 4 << 20;
    let Some(file) = file else {
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(|_| AddressError::Roots)?;
    opened
        .take(MOST)
        .read_to_end(&mut bytes)
        .map_err(|_| AddressError::Roots)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    found.map_err(|_| AddressError::Roots)
}

/// Takes any certificate, as `sslmode=require` asks, and still checks that the server holds its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes any name that an authority of ours has signed, as `sslmode=verify-ca` asks.
#[derive(Debug)]
struct Authority(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Authority {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        // The name is looked at last, when the chain has been found right.
        match self
            .0
            .verify_server_cert(certificate, between, name, stapled, now)
        {
            Err(rustls::Error::InvalidCertificate(
                NotValidForName | NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
