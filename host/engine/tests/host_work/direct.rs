//! Policies that lower a host function directly into their module, and call it
//! 2,000 times in a row.

use barmkin_host::PolicySpec;
use std::collections::BTreeMap;

/// A host function: its interface with its type, what it takes as core
/// WebAssembly has it, and one call of it.
pub(crate) struct Direct {
    interface: &'static str,
    types: &'static str,
    pub(crate) function: &'static str,
    core: &'static str,
    /// The code that runs before the first call.
    before: &'static str,
    call: &'static str,
    needs: Needs,
}

/// The thing that its manifest names `k`.
enum Needs {
    Nothing,
    /// A key, and the index of its algorithm.
    Key(&'static str, u8),
    Nonces,
    Quota,
}

const CLAIM: &str =
    r#"(type (enum "first-use" "in-progress" "replayed" "unidentified")) (export "claim" (type (eq 0)))"#;

const OUTCOME: &str = r#"(type (enum "admitted" "refused" "unidentified")) (export "outcome" (type (eq 0)))"#;

/// 1.9 MB where a function takes a list or a text.
pub(crate) const CALLS: [Direct; 12] = [
    Direct {
        interface: "log/log",
        types: r#"(type (enum "debug" "info" "warn" "error")) (export "level" (type (eq 0)))
            (type (tuple string string)) (type (list 2))
            (type (func (param "level" 1) (param "message" string) (param "pairs" 3)))
            (export "write" (func (type 4)))"#,
        function: "write",
        core: "(param i32 i32 i32 i32 i32)",
        before: "",
        call: "(call $ask (i32.const 0) (i32.const 65536) (i32.const 1900000) (i32.const 0) (i32.const 0))",
        needs: Needs::Nothing,
    },
    Direct {
        interface: "keys/keys",
        types: VERIFY,
        function: "verify",
        core: "(param i32 i32 i32 i32 i32 i32)",
        before: VERIFY_BEFORE,
        call: VERIFY_CALL,
        needs: Needs::Key("signing", 1),
    },
    Direct {
        interface: "keys/keys",
        types: VERIFY,
        function: "verify",
        core: "(param i32 i32 i32 i32 i32 i32)",
        before: VERIFY_BEFORE,
        call: VERIFY_CALL,
        needs: Needs::Key("public", 3),
    },
    Direct {
        interface: "keys/keys",
        types: r#"(type (list u8)) (type (list 0)) (type (func (param "key" u32) (param "data" 0) (result 1)))
            (export "keyed-hash" (func (type 2)))"#,
        function: "keyed-hash",
        core: "(param i32 i32 i32 i32)",
        before: "",
        call: "(call $ask (i32.const 0) (i32.const 65536) (i32.const 1900000) (i32.const 512))",
        needs: Needs::Key("lookup", 4),
    },
    Direct {
        interface: "replay/replay",
        types: r#"{claim} (type (list u8))
            (type (func (param "space" u32) (param "nonce" 2) (param "valid-until-unix-ms" u64) (result 1)))
            (export "claim-nonce" (func (type 3)))"#,
        function: "claim-nonce",
        core: "(param i32 i32 i32 i64) (result i32)",
        before: "",
        call: "(drop (call $ask (i32.const 0) (i32.const 65536) (i32.const 1000) (i64.const 0)))",
        needs: Needs::Nonces,
    },
    Direct {
        interface: "replay/replay",
        types: r#"{claim} (type (func (param "space" u32) (param "valid-until-unix-ms" u64) (result 1)))
            (export "claim-delivery" (func (type 2)))"#,
        function: "claim-delivery",
        core: "(param i32 i64) (result i32)",
        before: "",
        call: "(drop (call $ask (i32.const 0) (i64.const 0)))",
        needs: Needs::Nonces,
    },
    Direct {
        interface: "replay/replay",
        types: r#"(type (enum "deny" "acknowledge" "mark")) (export "duplicate-treatment" (type (eq 0)))
            (type (func (param "space" u32) (result 1))) (export "on-duplicate" (func (type 2)))"#,
        function: "on-duplicate",
        core: "(param i32) (result i32)",
        before: "",
        call: "(drop (call $ask (i32.const 0)))",
        needs: Needs::Nonces,
    },
    Direct {
        interface: "quota/quota",
        types: r#"{outcome} (type (func (param "quota" u32) (param "subject" string) (param "cost" u32) (result 1)))
            (export "take-for" (func (type 2)))"#,
        function: "take-for",
        core: "(param i32 i32 i32 i32) (result i32)",
        before: "",
        call: "(drop (call $ask (i32.const 0) (i32.const 65536) (i32.const 1000) (i32.const 1)))",
        needs: Needs::Quota,
    },
    Direct {
        interface: "quota/quota",
        types: r#"{outcome} (type (func (param "quota" u32) (param "cost" u32) (result 1)))
            (export "take" (func (type 2)))"#,
        function: "take",
        core: "(param i32 i32) (result i32)",
        before: "",
        call: "(drop (call $ask (i32.const 0) (i32.const 0)))",
        needs: Needs::Quota,
    },
    reading("remaining"),
    reading("retry-after-ms"),
    Direct {
        interface: "quota/quota",
        types: r#"(type (func (param "quota" u32) (result u64))) (export "limit" (func (type 0)))"#,
        function: "limit",
        core: "(param i32) (result i64)",
        before: "",
        call: "(drop (call $ask (i32.const 0)))",
        needs: Needs::Quota,
    },
];

const VERIFY: &str = r#"(alias outer 1 $algorithm (type)) (export "algorithm" (type (eq 0)))
    (type (list u8)) (type (variant (case "bytes" 2) (case "body"))) (export "part" (type (eq 3)))
    (type (enum "hex" "base64" "base64url")) (export "encoding" (type (eq 5)))
    (type (record (field "algorithm" 1) (field "encoding" 6) (field "text" string))) (export "candidate" (type (eq 7)))
    (type (record (field "key-id" string))) (export "verified" (type (eq 9)))
    (type (enum "mismatch" "no-candidate" "no-usable-key")) (export "refusal" (type (eq 11)))
    (type (list 4)) (type (list 8)) (type (result 10 (error 12)))
    (type (func (param "key" u32) (param "base" 13) (param "candidates" 14) (result 15)))
    (export "verify" (func (type 16)))"#;

/// One part of 1.9 MB, and a candidate of the key's algorithm: 128 times `a`.
const VERIFY_BEFORE: &str = "(i32.store (i32.const 600) (i32.const 0)) (i32.store (i32.const 604) (i32.const 65536))
    (i32.store (i32.const 608) (i32.const 1900000))
    (i32.store8 (i32.const 620) (i32.load8_u (i32.const 1320))) (i32.store (i32.const 624) (i32.const 65536))
    (i32.store (i32.const 628) (i32.const 128))";

const VERIFY_CALL: &str =
    "(call $ask (i32.const 0) (i32.const 600) (i32.const 1) (i32.const 620) (i32.const 1) (i32.const 512))";

/// A function that reads something of the last take.
const fn reading(function: &'static str) -> Direct {
    Direct {
        interface: "quota/quota",
        types: r#"{outcome} (type (func (param "quota" u32) (param "cost" u32) (result 1)))
            (export "take" (func (type 2))) (type (func (param "quota" u32) (result u64)))
            (export "{function}" (func (type 3)))"#,
        function,
        core: "(param i32) (result i64)",
        before: "(drop (call $take (i32.const 0) (i32.const 0)))",
        call: "(drop (call $ask (i32.const 0)))",
        needs: Needs::Quota,
    }
}

impl Direct {
    /// The policy, with all that it needs.
    pub(crate) fn policy(&self) -> PolicySpec {
        let takes = self.before.contains("$take");
        let if_it_takes = |text: &'static str| if takes { text } else { "" };
        let import = format!(r#"(import "barmkin:{}@0.1.0" (instance $host {}))"#, self.interface, self.types);
        let text = include_str!("direct.wat")
            .replace("{import}", &import)
            .replace("{claim}", CLAIM)
            .replace("{outcome}", OUTCOME)
            .replace("{function}", self.function)
            .replace("{core}", self.core)
            .replace("{manifest}", &self.needs.manifest())
            .replace(
                "{take-lowered}",
                if_it_takes(
                    r#"(alias export $host "take" (func $takef))
                    (core func $take (canon lower (func $takef) (memory $memory) (realloc $cabi_realloc)))"#,
                ),
            )
            .replace("{take-exported}", if_it_takes(r#"(export "t" (func $take))"#))
            .replace("{take-imported}", if_it_takes(r#"(import "host" "t" (func $take (param i32 i32) (result i32)))"#))
            .replace("{calls}", &format!("{} {}", self.before, self.call.repeat(2_000)));
        let mut policy = PolicySpec::new(wat::parse_str(text).unwrap());
        policy.memory_bytes = 4 * 1024 * 1024;
        let named = |name: &str| BTreeMap::from([("k".to_owned(), name.to_owned())]);
        match self.needs {
            Needs::Nothing => {}
            Needs::Key(key, _) => policy.grants.keys = named(key),
            Needs::Nonces => policy.grants.nonces = named("nonces"),
            Needs::Quota => policy.grants.quotas = [("k".to_owned(), vec!["quota".to_owned()])].into(),
        }
        policy
    }
}

impl Needs {
    /// Writes the list of one name into the manifest at 1024.
    fn manifest(&self) -> String {
        let (list, more) = match self {
            Self::Nothing => return String::new(),
            // Each key has a list of its algorithms.
            Self::Key(_, algorithm) => (
                1060,
                format!(
                    "(i32.store (i32.const 1208) (i32.const 1320)) (i32.store (i32.const 1212) (i32.const 1))
                    (i32.store8 (i32.const 1320) (i32.const {algorithm}))"
                ),
            ),
            Self::Nonces => (1068, String::new()),
            Self::Quota => (1076, String::new()),
        };
        format!(
            "(i32.store (i32.const {list}) (i32.const 1200)) (i32.store (i32.const {}) (i32.const 1))
            (i32.store (i32.const 1200) (i32.const 1300)) (i32.store (i32.const 1204) (i32.const 1)) {more}",
            list + 4
        )
    }
}
