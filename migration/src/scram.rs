//! What PostgreSQL keeps of a password (SCRAM-SHA-256, RFC 5802 and RFC 7677). Made here and not by the server,
//! the password itself is in no statement, and so in no log of statements.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// As often as PostgreSQL does by itself.
const ITERATIONS: u32 = 4096;

type Bytes = [u8; 32];

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`: what `CREATE ROLE … PASSWORD` takes in place of a
/// password. Nobody can log in with it.
pub(crate) fn verifier(password: &str, salt: &[u8]) -> String {
    // A password that isn't text as Unicode sees it counts as it is, for PostgreSQL too.
    let password = stringprep::saslprep(password).map_or_else(|_| password.to_owned(), Into::into);
    let salted = salted(password.as_bytes(), salt);
    let stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"]));
    let server_key = hmac(&salted, &[b"Server Key"]);
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    format!("SCRAM-SHA-256${ITERATIONS}:{}${}:{}", text(salt), text(&stored_key), text(&server_key))
}

/// `Hi` of RFC 5802, section 2.2.
fn salted(password: &[u8], salt: &[u8]) -> Bytes {
    let mut step = hmac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut sum = step;
    for _ in 1..ITERATIONS {
        step = hmac(password, &[&step]);
        sum.iter_mut().zip(step).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Bytes {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of RFC 7677's example, section 3, computed from its password and salt.
    #[test]
    fn the_example_of_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();

        assert_eq!(
            verifier("pencil", &salt),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
             WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
