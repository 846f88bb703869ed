//! In configurations, and in the files that they name.

use crate::mistake::{Mistake, RIGHT};

pub(crate) fn all() -> Vec<Mistake> {
    [syntax(), values(), names(), components(), settings(), secrets(), listeners(), chains()]
        .into_iter()
        .flatten()
        .collect()
}

fn syntax() -> Vec<Mistake> {
    vec![
        Mistake::edit("text without its end", "provider = \"github\" }", "provider = \"github }"),
        Mistake::edit("a setting twice", "retain = \"24h\"", "retain = \"24h\"\nretain = \"48h\""),
        Mistake::edit("no version", "version = 1", ""),
        Mistake::edit("a version of the future", "version = 1", "version = 2"),
        Mistake::check("nothing", String::new()),
        Mistake::check("another encoding", RIGHT.to_owned()).with("barmkin.toml", b"version = 1\n# caf\xe9\n".to_vec()),
        Mistake::edit("a list of routes that is a table", "[[routes]]\nname = \"api\"", "[routes.api]\nname = \"api\""),
        Mistake::edit("a value without quotes", "kind = \"memory\"", "kind = memory"),
    ]
}

fn values() -> Vec<Mistake> {
    vec![
        Mistake::edit("a section that is misspelled", "[quotas.per-caller]", "[quota.per-caller]"),
        Mistake::edit("a key that is misspelled", "retain =", "retian ="),
        Mistake::edit("a key of somewhere else", "kind = \"memory\"", "kind = \"memory\"\ncolour = \"red\""),
        Mistake::edit("a number where text belongs", "rate = \"100/min\"", "rate = 100"),
        Mistake::edit("a list where a table belongs", "{ path.prefix = \"/v1\" }", "[\"/v1\"]"),
        Mistake::edit(
            "a table where a list belongs",
            "secrets = [{ id = \"1\", from = \"file:secrets/github\" }]",
            "secrets = { id = \"1\", from = \"file:secrets/github\" }",
        ),
        Mistake::edit("a duration in words", "\"24h\"", "\"24 hours\""),
        Mistake::edit("a rate by a unit that is not there", "\"100/min\"", "\"100/minute\""),
        Mistake::edit("a setting that is missing", "\nkey = \"principal\"", ""),
        Mistake::edit("an algorithm that is not there", "\"hmac-sha256\"", "\"sha256\""),
        Mistake::edit("a kind of listener that is not there", "\"reverse-proxy\"", "\"reverse_proxy\""),
        Mistake::edit("a quantity that is out of bounds", "rate = \"100/min\"", "rate = \"0/min\""),
        Mistake::edit("a name with a space", "[nonces.deliveries]", "[nonces.\"the deliveries\"]"),
    ]
}

fn names() -> Vec<Mistake> {
    vec![
        Mistake::edit("a policy that is misspelled", "\"callers\", \"roles\"", "\"calers\", \"roles\""),
        Mistake::edit("a stock policy that is misspelled", "\"stock:rate-quota\"]", "\"stock:rate-qouta\"]"),
        Mistake::edit("a key that is not declared", "signing = \"github\"", "signing = \"gitlab\""),
        Mistake::edit("a nonce space where there is none", "[nonces.deliveries]\nretain = \"24h\"", ""),
        Mistake::edit(
            "a quota where there is none",
            "[quotas.per-caller]\nrate = \"100/min\"\nkey = \"principal\"",
            "",
        ),
        Mistake::add("two nonce spaces to choose from", "[nonces.others]\n"),
        Mistake::add(
            "two routes of one name",
            "[[routes]]\nname = \"api\"\nmatch = { path.exact = \"/x\" }\npublic = true\n",
        ),
        Mistake::add(
            "two routes for the same requests",
            "[[routes]]\nname = \"other\"\nmatch = { path.prefix = \"/v1\" }\npublic = true\n",
        ),
        Mistake::edit("a file that is included and not there", "version = 1", "version = 1\ninclude = [\"more.toml\"]"),
        Mistake::edit("a file that includes itself", "version = 1", "version = 1\ninclude = [\"barmkin.toml\"]"),
        Mistake::edit(
            "a policy that is declared in two files",
            "version = 1",
            "version = 1\ninclude = [\"more.toml\"]",
        )
        .with("more.toml", "[policies.github]\ncomponent = \"stock:rate-quota\"\n"),
        Mistake::edit(
            "a listener that is not declared",
            "match = { path.prefix = \"/v1\" }",
            "match = { path.prefix = \"/v1\" }\nlisteners = [\"egde\"]",
        ),
    ]
}

fn components() -> Vec<Mistake> {
    let own = |name, contents: &[u8]| {
        let rules = RIGHT.replace("\"stock:rbac-scopes\"", "\"file:own.wasm\"");
        Mistake::check(name, rules).with("own.wasm", contents)
    };
    let stock = barmkin_stock::get("rbac-scopes").unwrap().component;
    vec![
        Mistake::edit("a component that is not there", "\"stock:rbac-scopes\"", "\"file:absent.wasm\""),
        Mistake::edit("a component of no kind", "\"stock:rbac-scopes\"", "\"rbac-scopes\""),
        own("a component that is text", b"no component"),
        own("a component that is a module", b"\0asm\x01\0\0\0"),
        own("a component that is no policy", b"\0asm\x0d\0\x01\0"),
        own("a component of another contract", &replaced(stock, b"request-policy@0.1.0", b"request-policy@0.0.1")),
        Mistake::edit("a digest of another component", "component = \"stock:rbac-scopes\"", "component = \"file:own.wasm\"\ndigest = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"").with("own.wasm", stock),
        Mistake::edit("a policy that may not vouch", "{ signing = \"github\" }, vouch = true }", "{ signing = \"github\" } }"),
        Mistake::edit("a key that is not granted", "grants = { keys = { pepper = \"pepper\" }, vouch = true }", "grants = { vouch = true }"),
        Mistake::edit("a key of another algorithm", "signing = \"github\"", "signing = \"pepper\""),
        Mistake::edit("a field that nobody may set", "grants = { keys = { pepper = \"pepper\" }, vouch = true }", "grants = { keys = { pepper = \"pepper\" }, vouch = true, sets = [\"host\"] }"),
    ]
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = bytes.to_vec();
    for start in 0..bytes.len().saturating_sub(from.len()) {
        if bytes.get(start..start + from.len()) == Some(from) {
            replaced.splice(start..start + from.len(), to.iter().copied());
        }
    }
    replaced
}

fn settings() -> Vec<Mistake> {
    let provider = "settings = { provider = \"github\" }";
    let once = |name, settings: &str| {
        Mistake::check(
            name,
            RIGHT.replace("\"github\", \"stock:replay-window\"", "\"github\", \"once\"")
                + "\n[policies.once]\ncomponent = \"stock:replay-window\"\ngrants = { nonces = { deliveries = \"deliveries\" }, sets = [\"barmkin-duplicate\"] }\nsettings = "
                + settings,
        )
    };
    let quota = |name, settings: &str| {
        Mistake::check(
            name,
            RIGHT.replace("\"roles\", \"stock:rate-quota\"", "\"roles\", \"quota\"")
                + "\n[policies.quota]\ncomponent = \"stock:rate-quota\"\ngrants = { quotas = { quota = \"per-caller\" } }\nsettings = "
                + settings,
        )
    };
    let hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let roles = "settings = { rules";
    vec![
        Mistake::edit(
            "webhook-signature: a provider that is misspelled",
            provider,
            "settings = { provider = \"githbu\" }",
        ),
        Mistake::edit(
            "webhook-signature: a setting that is misspelled",
            provider,
            "settings = { provder = \"github\" }",
        ),
        Mistake::edit("webhook-signature: no settings", provider, ""),
        Mistake::edit(
            "webhook-signature: a tolerance for a scheme without times",
            provider,
            "settings = { provider = \"github\", tolerance = \"5m\" }",
        ),
        Mistake::edit(
            "webhook-signature: a status of success",
            provider,
            "settings = { provider = \"github\", statuses = { wrong = 200 } }",
        ),
        Mistake::edit(
            "webhook-signature: a scheme that does not sign the body",
            provider,
            "settings = { principal = \"a\", scheme = { header = \"x-signature\", signatures = [{ algorithm = \"hmac-sha256\", encoding = \"hex\" }], signed = \"hello\" } }",
        ),
        Mistake::edit(
            "webhook-signature: a piece that is not there",
            provider,
            "settings = { principal = \"a\", scheme = { header = \"x-signature\", signatures = [{ algorithm = \"hmac-sha256\", encoding = \"hex\" }], signed = \"{url}{body}\" } }",
        ),
        Mistake::edit("api-key: a key where its hash belongs", hash, "bk_secret"),
        Mistake::edit(
            "api-key: a key by position",
            &format!("[{{ id = \"partner-a\", hash = \"{hash}\" }}]"),
            &format!("[[\"partner-a\", \"{hash}\"]]"),
        ),
        Mistake::edit(
            "api-key: a header in capitals",
            "settings = { keys = [{ id = \"partner-a\"",
            "settings = { header = \"X-Api-Key\", keys = [{ id = \"partner-a\"",
        ),
        Mistake::edit(
            "api-key: a time without its zone",
            "id = \"partner-a\"",
            "id = \"partner-a\", expires = \"2027-01-01\"",
        ),
        Mistake::edit(
            "rbac-scopes: a role that is not there",
            roles,
            "settings = { roles = { reader = { inherits = [\"raeder\"] } }, rules",
        ),
        Mistake::edit(
            "rbac-scopes: a role that inherits from itself",
            roles,
            "settings = { roles = { a = { inherits = [\"b\"] }, b = { inherits = [\"a\"] } }, rules",
        ),
        Mistake::edit(
            "rbac-scopes: two rules for the same requests",
            "rules = [{ path = \"/v1/**\" }]",
            "rules = [{ path = \"/v1/**\" }, { path = \"/v1/**\" }]",
        ),
        Mistake::edit(
            "rbac-scopes: a method in small letters",
            "rules = [{ path = \"/v1/**\" }]",
            "rules = [{ path = \"/v1/**\", methods = [\"get\"] }]",
        ),
        Mistake::edit("rbac-scopes: a pattern in the middle", "\"/v1/**\" }]", "\"/v1/**/x\" }]"),
        once("replay-window: a window that is too long", "{ window = \"30d\" }"),
        once("replay-window: a window without a unit", "{ window = 300 }"),
        quota("rate-quota: a cost of nothing", "{ cost = 0 }"),
        quota("rate-quota: a cost that is text", "{ cost = \"5\" }"),
    ]
}

fn secrets() -> Vec<Mistake> {
    let with = |name, secret: &[u8]| Mistake::command(name, &["check"]).with("secrets/github", secret);
    vec![
        Mistake::edit("a secret that is not there", "secrets/github", "secrets/gitlab"),
        Mistake::edit("a secret in the configuration", "\"file:secrets/github\"", "\"the secret itself\""),
        Mistake::edit("a variable that is not set", "\"file:secrets/github\"", "\"env:BARMKIN_TEST_ABSENT\""),
        Mistake::edit(
            "a secret that is past its end",
            "from = \"file:secrets/github\"",
            "from = \"file:secrets/github\", until = \"tomorrow\"",
        ),
        with("a secret that is empty", b"\n"),
        with("a secret with a byte order mark", b"\xef\xbb\xbfthe secret of GitHub"),
        with("a secret in quotes", b"\"the secret of GitHub\""),
        with("a secret with two newlines", b"the secret of GitHub\n\n"),
        with("a secret with its name", b"GITHUB_SECRET=the secret"),
        Mistake::edit(
            "a secret that is not base64",
            "algorithm = \"hmac-sha256\"",
            "algorithm = \"hmac-sha256\"\nencoding = \"base64\"",
        ),
    ]
}

fn listeners() -> Vec<Mistake> {
    let edge = "kind = \"reverse-proxy\"\naddress = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:1\"";
    let tls = |name, tls: &str| {
        Mistake::edit(
            name,
            "upstream = \"http://127.0.0.1:1\"",
            &format!("upstream = \"http://127.0.0.1:1\"\ntls = {tls}"),
        )
    };
    let issued = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (one, other) = (issued(), issued());
    vec![
        Mistake::edit(
            "a chain that needs a body, by forward-auth",
            edge,
            "kind = \"forward-auth\"\ndialect = \"nginx\"\naddress = \"127.0.0.1:0\"",
        ),
        Mistake::edit("a reverse proxy without its upstream", "\nupstream = \"http://127.0.0.1:1\"", ""),
        Mistake::edit("an address without a port", "\"127.0.0.1:0\"", "\"127.0.0.1\""),
        Mistake::edit("an upstream that is no address", "\"http://127.0.0.1:1\"", "\"localhost\""),
        Mistake::edit(
            "networks that are none",
            "address = \"127.0.0.1:0\"",
            "address = \"127.0.0.1:0\"\ntrusted-proxies = [\"10.0.0.0/33\"]",
        ),
        tls("a certificate that is not there", "{ certificate = \"gate.pem\", key = \"gate.key\" }"),
        tls("a key of another certificate", "{ certificate = \"gate.pem\", key = \"gate.key\" }")
            .with("gate.pem", one.cert.pem())
            .with("gate.key", other.signing_key.serialize_pem()),
        tls("a certificate that is no PEM", "{ certificate = \"gate.pem\", key = \"gate.key\" }")
            .with("gate.pem", "hello")
            .with("gate.key", one.signing_key.serialize_pem()),
        Mistake::add("an admin listener that everybody reaches", "[admin]\naddress = \"0.0.0.0:9002\"\n"),
        Mistake::edit("a port that is taken", "\"127.0.0.1:0\"", "\"127.0.0.1:PORT\"").by(&["serve"]),
        Mistake::edit("no listener to serve", &format!("[listen.edge]\n{edge}"), "").by(&["serve"]),
    ]
}

fn chains() -> Vec<Mistake> {
    vec![
        Mistake::edit("a chain that is empty", "chain = [\"callers\", \"roles\", \"stock:rate-quota\"]", "chain = []"),
        Mistake::edit(
            "a chain in which nobody lets anything in",
            "\"callers\", \"roles\", \"stock:rate-quota\"",
            "\"stock:rate-quota\"",
        ),
        Mistake::edit(
            "message ids behind a scheme without them",
            "retain = \"24h\"",
            "retain = \"24h\"\nsame-delivery = \"message-id\"",
        ),
        Mistake::edit(
            "a replay window before the signature",
            "\"github\", \"stock:replay-window\"",
            "\"stock:replay-window\", \"github\"",
        ),
        Mistake::edit("a path that has two readings", "\"/webhooks/github\"", "\"/webhooks/../github\""),
        Mistake::edit("a method in small letters", "[\"POST\"]", "[\"post\"]"),
    ]
}
