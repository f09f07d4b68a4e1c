//! Keys that a device keeps (OpenSSH, `PROTOCOL.u2f`), with a device made of software.

use ssh_key::{HashAlg, SshSig};

use super::openssh::{has, verify};
use super::*;

const APPLICATION: &[u8] = b"ssh:";
const KIND: &[u8] = b"sk-ssh-ed25519@openssh.com";
/// Somebody touched the device.
const TOUCHED: u8 = 1;

struct Device {
    key: PrivateKey,
    public: PublicKey,
}

impl Device {
    fn new() -> Self {
        let key = private_key(Algorithm::Ed25519);
        let mut public = Vec::new();
        wire::put_string(&mut public, KIND);
        wire::put_string(
            &mut public,
            key.public_key().key_data().ed25519().unwrap().as_ref(),
        );
        wire::put_string(&mut public, APPLICATION);
        let public = PublicKey::from_bytes(&public).unwrap();
        Self { key, public }
    }

    /// The signature over a statement, with what the device says of it.
    fn sign(&self, statement: &Statement, flags: u8) -> Vec<u8> {
        let counter = 7_u32.to_be_bytes();
        let message = statement.to_text();
        let message = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, message.as_bytes()).unwrap();
        let signed = [
            &Sha256::digest(APPLICATION)[..],
            &[flags],
            &counter,
            &Sha256::digest(message)[..],
        ];
        let signature = ed25519(&self.key, &signed.concat());
        let mut blob = Vec::new();
        wire::put_string(&mut blob, KIND);
        wire::put_string(&mut blob, &signature);
        blob.push(flags);
        blob.extend(counter);
        blob
    }

    fn seal(&self, flags: u8) -> Result<Seal, SealError> {
        let signature = self.sign(&statement(None), flags);
        Seal::new(statement(None), &Envelope::new(&self.public, &signature)?)
    }
}

/// A plain signature over any bytes. The trait that signs is reached through the bound alone.
fn ed25519(key: &impl ssh_key::SigningKey, message: &[u8]) -> Vec<u8> {
    key.sign(message).as_bytes().to_vec()
}

#[test]
fn a_seal_of_a_device_is_taken() {
    let device = Device::new();
    let seal = device.seal(TOUCHED).unwrap();
    assert_eq!(Seal::parse(seal.to_text().as_bytes()).unwrap(), seal);
    let (names, editors) = (names(&NAMES), [editor("ann", &device.public)]);
    let found = Found {
        environment: "prod",
        file: FILE,
        names: &names,
        lowest_revision: 1,
    };
    assert_eq!(seal.verify(&found, &editors).unwrap(), "ann");
    if has("ssh-keygen") {
        assert_eq!(verify(&seal, &device.public), Ok(()));
    }
}

#[test]
fn every_flipped_bit_of_a_devices_seal_is_refused() {
    let seal = Device::new().seal(TOUCHED).unwrap();
    tampering::check_every_byte(&seal, &[1, 2, 4, 8, 16, 32, 64, 128]);
}
