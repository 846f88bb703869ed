//! Where nonces and quotas live, and how quotas count.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_config::{RedisConfig, RedisServers, StoreConfig};
use barmkin_host::{Gcra, MemoryLimits, QuotaRule, Window};
use std::time::Duration;
use support::{folder, load, report_of};

/// The meaning of a `[store]` with these lines.
fn store(lines: &str) -> StoreConfig {
    let text = format!("version = 1\n[store]\n{lines}\n");
    let folder =
        folder(&[("barmkin.toml", &text), ("secret", "sesame\n"), ("a.pem", "A"), ("b.pem", "B"), ("c.pem", "C")]);
    let config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
    match config.store() {
        StoreConfig::Embedded { folder: path, limits, survives_power_loss } => StoreConfig::Embedded {
            folder: path.strip_prefix(folder.path()).unwrap().to_owned(),
            limits: *limits,
            survives_power_loss: *survives_power_loss,
        },
        other => other.clone(),
    }
}

#[test]
fn stores_are_read_by_their_kind() {
    let default = MemoryLimits::default();
    assert_eq!(store("kind = \"memory\""), StoreConfig::Memory(default));
    let limits = MemoryLimits { nonces: 7, quotas: 8 };
    assert_eq!(store("kind = \"memory\"\nnonces-max = 7\nquotas-max = 8"), StoreConfig::Memory(limits));
    for (durability, survives_power_loss) in
        [("", false), ("durability = \"process\"", false), ("durability = \"power\"", true)]
    {
        let expected = StoreConfig::Embedded { folder: "state".into(), limits: default, survives_power_loss };
        assert_eq!(store(&format!("kind = \"embedded\"\npath = \"state\"\n{durability}")), expected, "{durability}");
    }
}

/// The meaning of a `[store]` of Redis with these lines.
fn redis(lines: &str) -> RedisConfig {
    let StoreConfig::Redis(redis) = store(&format!("kind = \"redis\"\n{lines}")) else { panic!("a Redis") };
    *redis
}

#[test]
fn a_store_of_redis_is_one_server_a_cluster_or_what_sentinels_name() {
    let one = redis("url = \"redis://localhost\"");
    assert!(one.servers == RedisServers::One("redis://localhost".to_owned()));
    assert!(one.login == Default::default() && one.timeout.is_none());
    let lines = "url = \"rediss://localhost/1\"\nusername = \"gate\"\npassword = \"file:secret\"\nprefix = \"b\"\n\
                 timeout = \"100ms\"\ntls = { root = \"a.pem\", certificate = \"b.pem\", key = \"c.pem\" }";
    let RedisConfig { login, prefix, timeout, .. } = redis(lines);
    assert_eq!(login.password.as_deref(), Some("sesame"));
    assert_eq!((login.username.as_deref(), prefix.as_deref()), (Some("gate"), Some("b")));
    assert_eq!(timeout, Some(Duration::from_millis(100)));
    assert_eq!((login.root_pem, login.client_pem), (Some(b"A".to_vec()), Some((b"B".to_vec(), b"C".to_vec()))));

    let nodes = ["rediss://a:6379", "rediss://b:6379"].map(str::to_owned).to_vec();
    let cluster = redis("cluster = [\"rediss://a:6379\", \"rediss://b:6379\"]\ntls = { root = \"a.pem\" }");
    assert!(cluster.servers == RedisServers::Cluster(nodes.clone()));
    assert_eq!(cluster.login.root_pem, Some(b"A".to_vec()));

    let sentinel = redis(
        "password = \"file:secret\"\nsentinel = { master = \"m\", addresses = [\"rediss://a:6379\", \"rediss://b:6379\"], \
         username = \"s\", tls = { root = \"a.pem\" } }",
    );
    assert_eq!((sentinel.login.password.as_deref(), sentinel.login.root_pem), (Some("sesame"), None));
    let RedisServers::Sentinel { master, addresses, login, master_has_tls } = sentinel.servers else {
        panic!("sentinels")
    };
    assert_eq!((&*master, addresses, master_has_tls), ("m", nodes, false));
    assert_eq!((login.username.as_deref(), login.password, login.root_pem), (Some("s"), None, Some(b"A".to_vec())));
    let sentinel = redis("sentinel = { master = \"m\", addresses = [\"redis://a\"] }\ntls = {}");
    assert!(matches!(sentinel.servers, RedisServers::Sentinel { master_has_tls: true, .. }));
}

/// Credentials can be rotated while a store is in use, and nothing else.
#[test]
fn a_store_is_the_same_whoever_logs_in() {
    let sentinel = |more: &str| format!("sentinel = {{ master = \"m\", addresses = [\"redis://a\"]{more} }}");
    let is_same = |one: &str, other: &str| {
        let of = |lines: &str| StoreConfig::Redis(Box::new(redis(lines)));
        of(one).is_same_store(&of(other))
    };
    let password = "\npassword = \"file:secret\"";
    for servers in ["url = \"redis://a\"", "cluster = [\"redis://a\"]", &sentinel("")] {
        assert!(is_same(servers, &format!("{servers}{password}")), "{servers}");
        assert!(!is_same(servers, &format!("{servers}\nprefix = \"b\"")), "{servers}");
    }
    assert!(is_same(&sentinel(""), &sentinel(", password = \"file:secret\"")));
    assert!(!is_same(&sentinel(""), &sentinel("").replace("redis://a", "redis://b")));
    assert!(!is_same(&sentinel(""), &sentinel("").replace("\"m\"", "\"n\"")));
    assert!(!is_same(&sentinel(""), &format!("{}\ntls = {{}}", sentinel(""))));
    assert!(!is_same("cluster = [\"redis://a\"]", "url = \"redis://a\""));
}

/// Its place, its message and its help.
type Finding<'a> = (&'a str, &'a str, &'a str);

/// Findings as they are reported: each with its place, its message and its help.
fn report<'a>(findings: impl IntoIterator<Item = (&'a str, String, &'a str)>) -> String {
    let findings =
        findings.into_iter().map(|(at, message, help)| format!("barmkin.toml:{at}: {message}\n  help: {help}"));
    findings.collect::<Vec<_>>().join("\n")
}

#[test]
fn stores_have_only_what_their_kind_has() {
    let all = "nonces-max = 1\nquotas-max = 1\npath = \"a\"\ndurability = \"power\"\nurl = \"redis://a\"\n\
               username = \"a\"\npassword = \"env:A\"\nprefix = \"a\"\ntimeout = \"1s\"\ntls = {}\n\
               cluster = []\nsentinel = { master = \"m\", addresses = [] }\n";
    let places = [
        ("nonces-max", "4:14"),
        ("quotas-max", "5:14"),
        ("path", "6:8"),
        ("durability", "7:14"),
        ("url", "8:7"),
        ("username", "9:12"),
        ("password", "10:12"),
        ("prefix", "11:10"),
        ("timeout", "12:11"),
        ("tls", "13:1"),
        ("cluster", "14:11"),
        ("sentinel", "15:1"),
    ];
    for (kind, has) in [
        ("memory", &["nonces-max", "quotas-max"][..]),
        ("embedded", &["nonces-max", "quotas-max", "path", "durability"]),
        ("redis", &["url", "cluster", "sentinel", "username", "password", "prefix", "timeout", "tls"]),
    ] {
        let found = report_of(&format!("version = 1\n[store]\nkind = \"{kind}\"\n{all}"));
        let others = places.iter().filter(|(option, _)| !has.contains(option));
        let message = |option| format!("a store of kind `{kind}` has no `{option}`");
        let expected = report(others.map(|(option, at)| (*at, message(option), "remove it")));
        // What else is wrong with it is not asked here.
        let found: Vec<&str> = found.lines().collect();
        assert!(expected.lines().all(|line| found.contains(&line)), "{kind}: {found:#?}");
        assert_eq!(found.iter().filter(|line| line.contains("has no")).count(), places.len() - has.len(), "{kind}");
    }
}

#[test]
fn stores_that_cannot_be_are_reported_at_their_place() {
    let room = "a store without room would refuse every request that needs it";
    let address = "this is not the address of a Redis server";
    let scheme = "write `redis://host:port`, or `rediss://` for TLS";
    let timeout = "the time-out of a store must be from `1ms` to `10s`";
    let nearby = "requests wait for it: `250ms` is long for a server nearby";
    let absent = "`absent.pem` cannot be read: No such file or directory (os error 2)";
    let pair = ("a certificate and its key come together", "give both, or neither");
    let pem = "name a file of PEM, relative to this one";
    let cases: [(&str, &[Finding<'_>]); 12] = [
        (
            "kind = \"memory\"\nnonces-max = 0\nquotas-max = 0",
            &[("4:14", room, "write at least 1"), ("5:14", room, "write at least 1")],
        ),
        ("kind = \"embedded\"", &[("2:2", "this store needs a `path`", "say in which folder, relative to this file")]),
        (
            "kind = \"redis\"",
            &[(
                "2:2",
                "this store needs a `url`",
                "write `redis://host:port`, or `rediss://` for TLS; a cluster has `cluster`, and sentinels `sentinel`",
            )],
        ),
        (
            "kind = \"redis\"\nurl = \"redis://a\"\ncluster = [\"redis://a\"]",
            &[("2:2", "a store has one of `url`, `cluster` and `sentinel`", "remove the others")],
        ),
        (
            "kind = \"redis\"\ncluster = []",
            &[("4:11", "the list must have from 1 to 256 addresses", "list those by which the others are found")],
        ),
        (
            "kind = \"redis\"\ncluster = [\"redis://a/1\", \"unix:///a\", \"rediss://c\", \"redis://d\"]\ntls = {}",
            &[
                ("4:12", "this is not the address of a node of a cluster", scheme),
                ("4:27", "this is not the address of a node of a cluster", scheme),
                ("4:40", "some of these addresses have TLS, and some have not", "begin all of them alike"),
                ("5:1", "without TLS there are no certificates", "begin each address with `rediss://`"),
            ],
        ),
        (
            "kind = \"redis\"\n[store.sentinel]\nmaster = \"\"\naddresses = [\"http://a\"]",
            &[
                ("5:10", "a master without a name is not one", "write the name that `sentinel monitor` gives it"),
                ("6:14", "this is not the address of a sentinel", scheme),
            ],
        ),
        (
            "kind = \"redis\"\n[store.sentinel]\nmaster = \"m\"\naddresses = [\"redis://a\"]\ntls = {}",
            &[("7:1", "without TLS there are no certificates", "begin each of the `addresses` with `rediss://`")],
        ),
        (
            "kind = \"redis\"\nurl = \"http://a\"\ntimeout = \"0s\"",
            &[("4:7", address, scheme), ("5:11", timeout, nearby)],
        ),
        (
            "kind = \"redis\"\nurl = \"redis://\"\ntimeout = \"11s\"\npassword = \"sesame\"",
            &[
                ("4:7", address, scheme),
                ("5:11", timeout, nearby),
                (
                    "6:12",
                    "`sesame` does not say where the secret is",
                    "write `file:` and a path, or `env:` and the name of a variable",
                ),
            ],
        ),
        (
            "kind = \"redis\"\nurl = \"redis://a\"\ntls = { certificate = \"absent.pem\" }",
            &[
                ("5:1", "without TLS there are no certificates", "begin the `url` with `rediss://`"),
                ("5:1", pair.0, pair.1),
                ("5:23", absent, pem),
            ],
        ),
        (
            "kind = \"redis\"\nurl = \"rediss://a\"\ntls = { root = \"absent.pem\", key = \"barmkin.toml\" }",
            &[("5:1", pair.0, pair.1), ("5:16", absent, pem)],
        ),
    ];
    for (lines, findings) in cases {
        let expected = report(findings.iter().map(|(at, message, help)| (*at, (*message).to_owned(), *help)));
        assert_eq!(report_of(&format!("version = 1\n[store]\n{lines}\n")), expected);
    }
}

/// How the only quota counts, with these lines.
fn rule(lines: &str) -> QuotaRule {
    let text = format!("version = 1\n[quotas.q]\nkey = \"route\"\n{lines}\n");
    let config = load(&folder(&[("barmkin.toml", &text)])).unwrap_or_else(|report| panic!("{report}"));
    config.spec().quotas.get("q").unwrap().rule
}

#[test]
fn quotas_count_by_their_algorithm() {
    let minute = |limit| Window { limit, length: Duration::from_secs(60) };
    let gcra = |limit| QuotaRule::Gcra(Gcra { interval: Duration::from_secs(6), limit });
    for (lines, expected) in [
        ("rate = \"10/min\"", gcra(10)),
        ("algorithm = \"gcra\"\nrate = \"10/min\"\nburst = 3", gcra(3)),
        ("algorithm = \"fixed-window\"\nrate = \"10/min\"", QuotaRule::FixedWindow(minute(10))),
        ("algorithm = \"sliding-window\"\nrate = \"10/min\"", QuotaRule::SlidingWindow(minute(10))),
        ("algorithm = \"concurrency\"\nlimit = 7", QuotaRule::Concurrency(minute(7))),
        (
            "algorithm = \"concurrency\"\nlimit = 7\nlease = \"5s\"",
            QuotaRule::Concurrency(Window { limit: 7, length: Duration::from_secs(5) }),
        ),
    ] {
        assert_eq!(rule(lines), expected, "{lines}");
    }
}

#[test]
fn quotas_have_only_what_their_algorithm_has() {
    let all = "rate = \"1/s\"\nburst = 1\nlimit = 1\nlease = \"1s\"\nkeep = \"always\"\n";
    let places = [("rate", "5:8"), ("burst", "6:9"), ("limit", "7:9"), ("lease", "8:9"), ("keep", "9:8")];
    for (algorithm, has) in [
        ("gcra", &["rate", "burst", "keep"][..]),
        ("fixed-window", &["rate", "keep"]),
        ("sliding-window", &["rate", "keep"]),
        ("concurrency", &["limit", "lease"]),
    ] {
        let text = format!("version = 1\n[quotas.q]\nkey = \"route\"\nalgorithm = \"{algorithm}\"\n{all}");
        let others = places.iter().filter(|(option, _)| !has.contains(option));
        let message = |option| format!("a quota by `{algorithm}` has no `{option}`");
        assert_eq!(report_of(&text), report(others.map(|(option, at)| (*at, message(option), "remove it"))));
    }
}

#[test]
fn quotas_that_count_nothing_are_reported_at_their_place() {
    let rate = "write it as `100/min`";
    let nothing = "a quota of which nothing can be taken would deny every request";
    let lease = "with a lease that is over at once no request counts";
    let cases: [(&str, &str, &str, &str); 6] = [
        ("keep = \"always\"", "2:9", "a quota by `gcra` needs a `rate`", rate),
        ("algorithm = \"fixed-window\"", "2:9", "a quota by `fixed-window` needs a `rate`", rate),
        (
            "algorithm = \"concurrency\"",
            "2:9",
            "a quota by `concurrency` needs a `limit`",
            "say how many requests may be under way at once",
        ),
        ("limit = 0\nalgorithm = \"concurrency\"", "4:9", nothing, "write at least 1"),
        ("burst = 0\nrate = \"1/s\"", "4:9", nothing, "write at least 1"),
        (
            "lease = \"0s\"\nalgorithm = \"concurrency\"\nlimit = 1",
            "4:9",
            lease,
            "write how long a request takes at most, such as `1m`",
        ),
    ];
    for (lines, at, message, help) in cases {
        let text = format!("version = 1\n[quotas.q]\nkey = \"route\"\n{lines}\n");
        assert_eq!(report_of(&text), report([(at, message.to_owned(), help)]));
    }
    assert_eq!(
        report_of("version = 1\n[quotas.q]\nkey = \"route\"\nalgorithm = \"leaky\"\n"),
        "barmkin.toml:4:13: `leaky` is none of what can be written here\n  help: use one of `gcra`, `fixed-window`, `sliding-window`, `concurrency`"
    );
}

/// Nonce spaces and quotas with these lines, in a small store of this machine.
fn bounds(lines: &str) -> String {
    format!("version = 1\n[store]\nkind = \"memory\"\nnonces-max = 100\nquotas-max = 100\n{lines}\n")
}

#[test]
fn bounds_that_are_more_than_the_stores_are_reported() {
    let help = |option| format!("write less, or raise `{option}` in `[store]`: an entry takes about 200 bytes");
    let cases = [
        (
            "[nonces.a]\nentries-max = 60\n[nonces.b]\nentries-max = 41",
            "7:15",
            "the nonce spaces may hold 101 entries, but the store's `nonces-max` is 100".to_owned(),
            help("nonces-max"),
        ),
        (
            "[quotas.a]\nrate = \"1/s\"\nkey = \"route\"\nentries-max = 100\n[quotas.b]\nrate = \"1/s\"\nkey = \"route\"",
            "9:15",
            "the quotas may hold 100 entries, and 1 more need some, but the store's `quotas-max` is 100".to_owned(),
            help("quotas-max"),
        ),
        (
            "[nonces.a]\nentries-max = 0",
            "7:15",
            "without room every request that needs it would be refused".to_owned(),
            "write at least 1".to_owned(),
        ),
    ];
    for (lines, at, message, help) in cases {
        assert_eq!(report_of(&bounds(lines)), report([(at, message, &*help)]), "{lines}");
    }
}

/// The retention of a `[nonces]`, against what the stock policies of a chain take.
#[test]
fn a_space_that_forgets_too_soon_is_reported() {
    let configuration = |retain: &str, window: &str, tolerance: &str| {
        format!(
            "version = 1\n[nonces.deliveries]\nretain = \"{retain}\"\n[keys.k]\nalgorithm = \"hmac-sha256\"\n\
             secrets = [{{ id = \"a\", from = \"file:secret\" }}]\n[policies.signed]\n\
             component = \"stock:webhook-signature\"\nsettings = {{ provider = \"stripe\", {tolerance} }}\n\
             grants = {{ keys = {{ signing = \"k\" }}, vouch = true }}\n[policies.once]\n\
             component = \"stock:replay-window\"\nsettings = {{ {window} }}\n[[routes]]\nname = \"r\"\n\
             chain = [\"signed\", \"once\"]\n"
        )
    };
    for (retain, window, tolerance, taken) in [
        ("16m", "", "", None),
        ("15m", "", "", Some("16m")),
        ("24h", "window = \"10m\"", "tolerance = \"1h\"", None),
        ("20m", "window = \"10m\"", "tolerance = \"1h\"", Some("21m")),
        ("24h", "window = \"1d\"", "", Some("1446m")),
        ("1446m", "window = \"1d\"", "", None),
    ] {
        let text = configuration(retain, window, tolerance);
        let folder = folder(&[("barmkin.toml", &text), ("secret", "sesame\n")]);
        match (load(&folder), taken) {
            (Ok(_), None) => {}
            (Err(found), Some(taken)) => {
                let found = found.to_string();
                let message = format!("but policy `once` takes deliveries for `{taken}`");
                assert!(found.contains("barmkin.toml:3:10: ") && found.contains(&message), "{found}");
            }
            (loaded, _) => panic!("{retain} {window} {tolerance}: {:?}", loaded.map(drop).map_err(|e| e.to_string())),
        }
    }
}
