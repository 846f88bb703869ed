//! Capabilities: what the host does for a rule, through handles that only an
//! extractor makes.

mod keys;
mod nonces;
mod quota;

pub use keys::{
    Algorithms, ConfiguredKey, ConfiguresKey, Ed25519, HmacSha1, HmacSha256, HmacSha512, Key, KeyedHashSha256,
    SignatureAlgorithm, Signatures,
};
pub use nonces::Nonces;
pub use quota::Quota;
