//! What holds a secret cannot be printed or written out, not even by somebody who derives it one day.

use std::fmt::{Debug, Display};

use ringfence_secret::redact::{Patterns, Stream};
use ringfence_secret::seal::SigningKey;
use ringfence_secret::sops::{File, Opened};
use ringfence_secret::value::Secret;
use ringfence_secret::{dotenvx, fingerprint, identity};
use serde::Serialize;

/// Whether a type has a trait: a constant of its own goes before one of a trait's, where its bounds hold.
macro_rules! has {
    ($held:ty, $wanted:path) => {{
        struct Of<T>(std::marker::PhantomData<T>);
        trait _Otherwise {
            const _HAS: bool = false;
        }
        impl<T> _Otherwise for Of<T> {}
        impl<T: $wanted> Of<T> {
            const _HAS: bool = true;
        }
        <Of<$held>>::_HAS
    }};
}

macro_rules! unprintable {
    ($($held:ty),+) => {
        $(
            let printed = [has!($held, Debug), has!($held, Display), has!($held, Serialize)];
            assert_eq!(printed, [false; 3], stringify!($held));
        )+
    };
}

#[test]
fn what_holds_a_secret_has_no_debug_display_or_serialize() {
    unprintable!(
        Secret,
        Opened,
        File,
        identity::Identity,
        SigningKey,
        dotenvx::PrivateKey,
        fingerprint::Key,
        Patterns,
        Stream
    );
}

#[test]
fn what_can_be_printed_is_known() {
    assert!(has!(String, Debug) && has!(String, Display) && has!(String, Serialize));
}
