//! The configurations on disk, one attempt after another.

use crate::harness::keyed_hash;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The key of the caller who asks.
pub(super) const KEY: &str = "bk_of-the-one-who-asks";

const PEPPER: &str = "the pepper of the soak";

/// Secrets of the configuration.
pub(super) const SECRETS: [(&str, &str); 1] = [("pepper", PEPPER)];

/// Whether what is on disk can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Good,
    Broken,
}

/// The answer that the probe should get.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Expected {
    pub(super) reason: Option<String>,
    pub(super) principal: Option<String>,
}

/// A configuration of which every generation differs from the one before.
pub(super) struct Disk {
    /// Good generations so far.
    generation: usize,
    /// The number of the component that was added last.
    component: Option<usize>,
}

/// One of three is broken, one of three has a component that was never
/// compiled before, and one of three changes only routes.
enum Kind {
    NewComponent,
    OtherRoutes,
    Broken,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self { generation: 0, component: None }
    }

    /// The probe is allowed by every second generation: by that of an even
    /// number.
    pub(super) fn expected(&self) -> Expected {
        if self.generation.is_multiple_of(2) {
            Expected { reason: None, principal: Some("asker".to_owned()) }
        } else {
            Expected { reason: Some("unknown-api-key".to_owned()), principal: None }
        }
    }

    pub(super) fn rules(&self) -> String {
        let component =
            self.component.map_or_else(|| "stock:api-key".to_owned(), |number| format!("file:callers-{number}.wasm"));
        let chain = if self.generation.is_multiple_of(2) { "\"callers\"" } else { "\"callers\", \"strangers\"" };
        let known = |key: &str| format!("{{ id = \"asker\", hash = \"{}\" }}", keyed_hash(PEPPER, key));
        format!(
            r#"version = 1
[admin]
address = "unix:admin.sock"
[errors]
documentation = "https://docs.example/{generation}/"
[keys.pepper]
algorithm = "keyed-hash-sha256"
secrets = [{{ id = "1", from = "file:secrets/pepper" }}]
[policies.callers]
component = "{component}"
settings = {{ keys = [{callers}] }}
grants = {{ keys = {{ pepper = "pepper" }}, vouch = true }}
[policies.strangers]
component = "stock:api-key"
settings = {{ keys = [{strangers}] }}
grants = {{ keys = {{ pepper = "pepper" }}, vouch = true }}
[[routes]]
name = "probe"
chain = [{chain}]
"#,
            generation = self.generation,
            callers = known(KEY),
            strangers = known("another key"),
        )
    }

    /// Makes attempt `number`: what is in `folder` can be used afterwards, or
    /// is broken in one way.
    pub(super) fn change(&mut self, number: usize, folder: &Path) -> Attempt {
        // The attempt before may have left this.
        let pepper = folder.join("secrets/pepper");
        std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o600)).unwrap();
        match kind(number) {
            Kind::Broken => {
                let way = BREAKAGES[(number / 3) % BREAKAGES.len()];
                (way.apply)(self, folder, number);
                return Attempt::Broken;
            }
            Kind::NewComponent => {
                if let Some(before) = self.component.replace(number) {
                    std::fs::remove_file(folder.join(format!("callers-{before}.wasm"))).unwrap();
                }
                std::fs::write(folder.join(format!("callers-{number}.wasm")), component(number)).unwrap();
            }
            Kind::OtherRoutes => {}
        }
        self.generation += 1;
        replace(folder, &self.rules());
        Attempt::Good
    }

    /// The kind of change in attempt `number`.
    pub(super) fn what(&self, number: usize) -> &'static str {
        match kind(number) {
            Kind::NewComponent => "a new component",
            Kind::OtherRoutes => "other routes",
            Kind::Broken => BREAKAGES[(number / 3) % BREAKAGES.len()].what,
        }
    }
}

fn kind(number: usize) -> Kind {
    // New components come in generations that allow and in ones that deny.
    match number % 6 {
        0 | 5 => Kind::NewComponent,
        2 | 3 => Kind::OtherRoutes,
        _ => Kind::Broken,
    }
}

/// The policy that knows callers, as a component that nobody has seen: with a
/// section of its own (custom, so that it does the same).
fn component(number: usize) -> Vec<u8> {
    let mut component = barmkin_stock::get("api-key").unwrap().component.to_vec();
    let name = b"soak";
    let content = number.to_le_bytes();
    let length = u8::try_from(1 + name.len() + content.len()).unwrap();
    component.extend([0, length, u8::try_from(name.len()).unwrap()]);
    component.extend(name);
    component.extend(content);
    component
}

/// Replaces the configuration as deployments do: all of it at once.
fn replace(folder: &Path, rules: &str) {
    let file = folder.join("barmkin.toml");
    // The listeners stay as the harness wrote them.
    let before = std::fs::read_to_string(folder.join("listeners")).or_else(|_| std::fs::read_to_string(&file)).unwrap();
    let listeners = format!("\n[listen.{}", before.split_once("\n[listen.").unwrap().1);
    std::fs::write(folder.join("listeners"), &listeners).unwrap();
    std::fs::write(folder.join("barmkin.aside"), format!("{rules}{listeners}")).unwrap();
    std::fs::rename(folder.join("barmkin.aside"), file).unwrap();
}

/// A way to break what is on disk.
#[derive(Clone, Copy)]
struct Breakage {
    what: &'static str,
    apply: fn(&Disk, &Path, usize),
}

const BREAKAGES: &[Breakage] = &[
    Breakage { what: "not TOML", apply: |disk, folder, _| replace(folder, &(disk.rules() + "[[routes")) },
    Breakage { what: "an unknown key", apply: |disk, folder, _| edit(disk, folder, "chain", "chian") },
    Breakage {
        what: "an unknown policy",
        apply: |disk, folder, _| edit(disk, folder, "chain = [\"", "chain = [\"no-"),
    },
    Breakage { what: "an empty chain", apply: |disk, folder, _| edit(disk, folder, "chain = [", "chain = []#") },
    Breakage { what: "nobody vouches", apply: |disk, folder, _| edit(disk, folder, ", vouch = true", "") },
    Breakage { what: "a bad setting", apply: |disk, folder, _| edit(disk, folder, "hash = \"", "hash = \"x") },
    Breakage {
        what: "a key that is not there",
        apply: |disk, folder, _| {
            edit(disk, folder, "pepper = \"pepper\"", "pepper = \"salt\"");
        },
    },
    Breakage {
        what: "another algorithm",
        apply: |disk, folder, _| edit(disk, folder, "keyed-hash-sha256", "hmac-sha1"),
    },
    Breakage {
        what: "a tie",
        apply: |disk, folder, _| {
            replace(folder, &(disk.rules() + "[[routes]]\nname = \"other\"\npublic = true\n"));
        },
    },
    Breakage { what: "another version", apply: |disk, folder, _| edit(disk, folder, "version = 1", "version = 2") },
    Breakage {
        what: "an include that is not there",
        apply: |disk, folder, _| {
            edit(disk, folder, "version = 1", "version = 1\ninclude = [\"absent/*.toml\"]");
        },
    },
    Breakage {
        what: "another admin listener",
        apply: |disk, folder, _| edit(disk, folder, "admin.sock", "other.sock"),
    },
    Breakage {
        what: "a deadline out of range",
        apply: |disk, folder, _| {
            edit(disk, folder, "vouch = true }", "vouch = true }\ndeadline = \"1h\"");
        },
    },
    Breakage {
        what: "a component that is not there",
        apply: |disk, folder, _| {
            let mut disk = Disk { ..*disk };
            disk.component = Some(usize::MAX);
            replace(folder, &disk.rules());
        },
    },
    Breakage {
        what: "a truncated component",
        apply: |disk, folder, number| {
            let whole = component(number);
            with_component(disk, folder, &whole[..whole.len() / 2]);
        },
    },
    Breakage { what: "a core module", apply: |disk, folder, _| with_component(disk, folder, b"\0asm\x01\0\0\0") },
    Breakage {
        what: "a component that is no policy",
        apply: |disk, folder, _| {
            with_component(disk, folder, b"\0asm\x0d\0\x01\0");
        },
    },
    Breakage {
        what: "a secret that everybody can read",
        apply: |_, folder, _| {
            let mode = std::fs::Permissions::from_mode(0o604);
            std::fs::set_permissions(folder.join("secrets/pepper"), mode).unwrap();
        },
    },
];

fn edit(disk: &Disk, folder: &Path, from: &str, to: &str) {
    let rules = disk.rules();
    assert!(rules.contains(from), "`{from}`");
    replace(folder, &rules.replace(from, to));
}

/// The configuration with a component that cannot be used.
fn with_component(disk: &Disk, folder: &Path, component: &[u8]) {
    std::fs::write(folder.join("broken.wasm"), component).unwrap();
    let rules = disk.rules();
    let component = rules.lines().find_map(|line| line.strip_prefix("component = ")).unwrap();
    replace(folder, &rules.replace(component, "\"file:broken.wasm\""));
}
