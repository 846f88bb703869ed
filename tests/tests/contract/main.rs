//! The contract is kept: components that were built against a released
//! contract, kept as bytes in `contract/`, run on this host and decide as they
//! did, and the contract they were built against is what it was.
//!
//! Nothing of that is ever built again. A later contract gets a folder of its own.
//!
//! Beside it stands a table of what a policy declares and what it does then:
//! the host and the SDK's double of it decide each line alike.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod cases;
mod declared;
mod everything;
mod gate;
mod stock;

use sha2::{Digest, Sha256};
use std::path::Path;

/// Of the packages of 0.1.0, without their documentation.
const WIT_0_1_0: &str = "fa0b3de268f5cf6c5a332620d95337264f80a314f17ed4fc9bf27dc808adbae2";

/// Of each component of 0.1.0, so that nobody changes them.
const COMPONENTS_0_1_0: [(&str, &str); 6] = [
    ("api-key", "6705137a814eda23b1128900b127a29222c9648f3b6cd481d2d8742b8ce4cd8b"),
    ("everything", "cc0c0cc06c5633a6e7ffc88d133aebc6613527baae3c2cc60048f5e2874c200e"),
    ("rate-quota", "e2b76dcf803028528637a20394afaf694741e6c1dda342646aa8a4340e150bff"),
    ("rbac-scopes", "e697b459014a774203e1880e51873ae24f2de199e0c8371605f74d4b5ed62ecb"),
    ("replay-window", "299cc8150cee3c1578ede2c4925dd9ea8062f3bd70503de4abd8d548d7d6e85c"),
    ("webhook-signature", "e3d0e5034922f8fd08353fafa0eb486b64ddfcef9d9e9fdcf75419b2a8c6cb79"),
];

#[test]
fn what_was_released_is_not_changed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let files = ["policy.wit", "deps/keys/keys.wit", "deps/log/log.wit", "deps/quota/quota.wit"];
    let mut hash = Sha256::new();
    for file in files.into_iter().chain(["deps/replay/replay.wit"]) {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")) {
            hash.update(line);
            hash.update("\n");
        }
    }
    assert_eq!(hex::encode(hash.finalize()), WIT_0_1_0, "types are frozen: a change is a new version");
}

#[test]
fn the_components_are_those_that_were_released() {
    for (name, digest) in COMPONENTS_0_1_0 {
        assert_eq!(hex::encode(Sha256::digest(gate::component(name))), digest, "{name}");
    }
}
