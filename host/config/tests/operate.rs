//! The admin listener, the pin, and what takes a restart.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use barmkin_config::{Address, AdminTimeouts, Config, LoadOptions};
use sha2::{Digest, Sha256};
use std::time::Duration;
use support::{NOW, folder, load, relative, report, report_of, write};

fn admin(lines: &str) -> String {
    format!("version = 1\n[admin]\n{lines}\n")
}

#[test]
fn the_admin_listener_waits_as_long_as_it_is_told() {
    let times = "timeouts = { header = \"1s\", stall = \"2s\" }";
    let config = load(&folder(&[("barmkin.toml", &admin(&format!("address = \"127.0.0.1:0\"\n{times}")))])).unwrap();
    let times =
        AdminTimeouts { handshake: None, header: Some(Duration::from_secs(1)), stall: Some(Duration::from_secs(2)) };
    assert_eq!(config.fixed().admin.as_ref().unwrap().timeouts, times);
    for (address, times, expected) in [
        ("unix:a", "handshake = \"1s\"", "a Unix socket has no handshake\n  help: remove it"),
        ("127.0.0.1:0", "stall = \"0s\"", "in no time nothing is done\n  help: write at least `1ms`"),
    ] {
        let report = report_of(&admin(&format!("address = \"{address}\"\ntimeouts = {{ {times} }}")));
        assert!(report.ends_with(expected), "{report}");
    }
}

#[test]
fn the_admin_listener_is_for_this_machine() {
    for address in ["127.0.0.1:9002", "[::1]:0"] {
        let config = load(&folder(&[("barmkin.toml", &admin(&format!("address = \"{address}\"")))]));
        let admin = config.unwrap_or_else(|report| panic!("{report}")).fixed().admin.clone();
        assert_eq!(admin.unwrap().address, Address::Tcp(address.to_owned()));
    }
    for address in ["0.0.0.0:9002", "10.0.0.1:9002", "[::]:9002"] {
        assert_eq!(
            report_of(&admin(&format!("address = \"{address}\""))),
            format!(
                "barmkin.toml:3:11: `{address}` can be reached from other machines\n  help: whoever reaches it can \
                 reload and roll back: use `127.0.0.1:port` or `unix:` and a path, or ask for client certificates: \
                 `tls` with `client-ca`"
            )
        );
    }
    for address in ["localhost:9002", "9002", "unix:"] {
        let report = report_of(&admin(&format!("address = \"{address}\"")));
        assert!(report.starts_with(&format!("barmkin.toml:3:11: `{address}` is not an address")), "{report}");
    }
    let with_mode = report_of(&admin("address = \"127.0.0.1:1\"\nmode = \"600\""));
    assert_eq!(with_mode, "barmkin.toml:4:8: only a Unix socket has a `mode`\n  help: remove it");
}

#[test]
fn anybody_may_reach_the_health_listener() {
    let health = |lines: &str| format!("version = 1\n[health]\n{lines}\n");
    for address in ["0.0.0.0:9100", "[::]:9100", "127.0.0.1:0"] {
        let config = load(&folder(&[("barmkin.toml", &health(&format!("address = \"{address}\"")))]));
        let config = config.unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(config.fixed().health.as_ref().unwrap().address, Address::Tcp(address.to_owned()));
    }
    for address in ["localhost:9100", "9100", "unix:"] {
        assert_eq!(
            report_of(&health(&format!("address = \"{address}\""))),
            format!(
                "barmkin.toml:3:11: `{address}` is not an address for the health listener\n  help: write an address and \
                 a port, such as `0.0.0.0:9100`, or `unix:` and a path"
            )
        );
    }
}

#[test]
fn it_drains_where_somebody_can_see_that_it_is_not_ready() {
    let drain = |text: &str| {
        let config = load(&folder(&[("barmkin.toml", &format!("version = 1\n{text}"))]));
        config.unwrap_or_else(|report| panic!("{report}")).fixed().drain()
    };
    let five = Duration::from_secs(5);
    for (text, expected) in [
        ("[admin]\naddress = \"unix:a\"", five),
        ("[health]\naddress = \"0.0.0.0:1\"", five),
        ("[listen.a]\nkind = \"ext-authz\"\naddress = \"unix:a\"", five),
        ("[listen.a]\nkind = \"forward-auth\"\ndialect = \"nginx\"\naddress = \"unix:a\"", Duration::ZERO),
        ("[health]\naddress = \"0.0.0.0:1\"\n[shutdown]\ndrain = \"0s\"", Duration::ZERO),
        ("[shutdown]\ndrain = \"7s\"", Duration::from_secs(7)),
    ] {
        assert_eq!(drain(text), expected, "{text}");
    }
}

#[test]
fn a_group_is_known_by_its_name_or_its_id() {
    let group = |group: &str| admin(&format!("address = \"unix:a\"\ngroup = {group}"));
    for (written, id) in [("\"root\"", 0), ("0", 0), ("4711", 4711)] {
        let config = load(&folder(&[("barmkin.toml", &group(written))])).unwrap_or_else(|report| panic!("{report}"));
        let admin = config.fixed().admin.clone().unwrap();
        assert!(matches!(admin.address, Address::Unix { group, .. } if group == Some(id)), "{written}: {admin:?}");
    }
    assert_eq!(
        report_of(&group("\"no-such-group\"")),
        "barmkin.toml:4:9: there is no group `no-such-group` on this machine\n  help: make the group, or write the id of \
         another"
    );
    // Where a configuration is only looked at, its groups need not be.
    let folder = folder(&[("barmkin.toml", &group("\"no-such-group\""))]);
    let options = LoadOptions { secrets: barmkin_config::Secrets::Placeholders, ..LoadOptions::at(NOW) };
    assert!(Config::load(folder.path().join("barmkin.toml"), &options).is_ok());
}

#[test]
fn who_comes_by_a_unix_socket_is_listed_as_this_machine() {
    let edge = |kind: &str, more: &str| {
        format!("version = 1\n[listen.edge]\nkind = \"{kind}\"\naddress = \"unix:a\"\n{more}\n")
    };
    let upstream = "upstream = \"http://127.0.0.1:1\"\n";
    let nginx = "dialect = \"nginx\"\n";
    let counts = "a Unix socket counts as 127.0.0.1, which is not listed";
    for (kind, more) in [
        ("forward-auth", format!("{nginx}trusted-proxies = [\"10.0.0.0/8\"]")),
        ("forward-auth", format!("{nginx}proxy-protocol = [\"10.0.0.0/8\"]")),
        ("reverse-proxy", format!("{upstream}proxy-protocol = [\"10.0.0.0/8\"]")),
        ("ext-authz", "proxy-protocol = [\"10.0.0.0/8\"]".to_owned()),
    ] {
        let report = report_of(&edge(kind, &more));
        assert!(report.contains(counts), "{kind}: {report}");
    }
    let warnings = |kind: &str, more: &str| {
        let config = load(&folder(&[("barmkin.toml", &edge(kind, more))])).unwrap_or_else(|report| panic!("{report}"));
        config.warnings().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let alone = warnings("reverse-proxy", upstream);
    assert!(alone.contains("all clients of this Unix socket count as one, 127.0.0.1"), "{alone}");
    for more in ["trusted-proxies = [\"127.0.0.1\"]", "proxy-protocol = [\"127.0.0.0/8\"]"] {
        assert_eq!(warnings("reverse-proxy", &format!("{upstream}{more}")), "");
    }
    assert_eq!(warnings("forward-auth", nginx), "");
}

#[test]
fn where_a_gate_is_asked_can_be_told_although_the_rest_is_broken() {
    let folder = folder(&[("barmkin.toml", &admin("address = \"unix:admin.sock\"\n[unknown]"))]);
    let path = folder.path().join("barmkin.toml");
    let socket = Address::Unix { path: folder.path().join("admin.sock"), mode: 0o600, group: None };
    assert_eq!(Config::admin(&path, &LoadOptions::at(NOW)).unwrap().address, socket);

    write(&folder, "barmkin.toml", b"version = 1\n", 0o600);
    let report = Config::admin(&path, &LoadOptions::at(NOW)).err().unwrap();
    let expected = "barmkin.toml: no admin listener is declared\n  help: declare `[admin]`, or say where the gate is asked with `--admin`";
    assert_eq!(relative(folder.path(), &report.to_string()), expected);
}

#[test]
fn only_what_is_pinned_is_loaded() {
    let component = barmkin_stock::get("rate-quota").unwrap().component;
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(component)));
    let text = |pin: &str| {
        format!(
            "version = 1\n[pin]\n{pin}\n[quotas.q]\nrate = \"1/s\"\nkey = \"route\"\n[policies.p]\n\
             component = \"file:p.wasm\"\ngrants = {{ quotas = {{ quota = \"q\" }} }}\n[[routes]]\nname = \"r\"\n\
             public = true\nchain = [\"p\", \"stock:rate-quota\"]\n"
        )
    };
    let folder = folder(&[("barmkin.toml", &text(&format!("components = [\"{digest}\"]")))]);
    write(&folder, "p.wasm", component, 0o600);
    let config = load(&folder).unwrap_or_else(|report| panic!("{report}"));
    let configuration = format!("sha256:{}", config.spec().digest());

    let nothing = "components = []\nconfigurations = []";
    write(&folder, "barmkin.toml", text(nothing).as_bytes(), 0o600);
    assert_eq!(
        report(&folder),
        format!(
            "barmkin.toml:4:18: this configuration has the digest `{configuration}`, which the pin does not list\n  \
             help: if this is the configuration you mean, add its digest\n\
             barmkin.toml:9:13: the component of policy `p` has the digest `{digest}`, which the pin does not list\n  \
             help: if this is the component you mean, add its digest to `components` of `[pin]`"
        )
    );
    // The pin is not part of what is pinned.
    write(&folder, "barmkin.toml", text(&format!("configurations = [\"{configuration}\"]")).as_bytes(), 0o600);
    assert!(load(&folder).is_ok());
    write(&folder, "barmkin.toml", text("components = [\"md5:1\"]").as_bytes(), 0o600);
    assert!(report(&folder).contains("`md5:1` is not a digest"), "{}", report(&folder));
}

#[test]
fn what_takes_a_restart_is_named_as_it_is_written() {
    let listen = |port: &str| {
        format!(
            "version = 1\n[listen.a]\nkind = \"reverse-proxy\"\naddress = \"127.0.0.1:{port}\"\nupstream = \"http://127.0.0.1:1\"\n"
        )
    };
    let loaded = |text: &str| load(&folder(&[("barmkin.toml", text)])).unwrap_or_else(|report| panic!("{report}"));
    let first = loaded(&listen("1"));
    let same = loaded(&(listen("1") + "[forward]\nprincipal-field = \"x-principal\"\n"));
    assert!(first.fixed().differences(same.fixed()).is_empty());
    let other = listen("2")
        + "[store]\nkind = \"memory\"\nnonces-max = 7\n[admin]\naddress = \"127.0.0.1:3\"\n[pin]\n[health]\naddress = \"127.0.0.1:5\"\n[shutdown]\ndrain = \"1s\"\n[listen.b]\n"
        + "kind = \"ext-authz\"\naddress = \"127.0.0.1:4\"\n";
    let other = loaded(&other);
    let expected = ["[admin]", "[health]", "[listen.a]", "[listen.b]", "[pin]", "[shutdown]", "[store]"];
    assert_eq!(first.fixed().differences(other.fixed()), expected);
    // A password can be rotated while its store is in use.
    let redis = |password: &str| {
        let text = "version = 1\n[store]\nkind = \"redis\"\nurl = \"redis://127.0.0.1:1\"\npassword = \"file:p\"\n";
        load(&folder(&[("barmkin.toml", text), ("p", password)])).unwrap_or_else(|report| panic!("{report}"))
    };
    let (before, after) = (redis("old"), redis("new"));
    assert_ne!(before.store(), after.store());
    assert!(before.fixed().differences(after.fixed()).is_empty());
}
