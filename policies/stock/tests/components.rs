//! The properties of the components, beyond what their rules do: small, without
//! authority, and such that the host can take a snapshot of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use wasmparser::{Operator, Parser, Payload};
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

#[test]
fn each_imports_only_the_functions_it_uses() {
    let expected: [(&str, &[&str]); 5] = [
        ("api-key", &["barmkin:keys/keys#keyed-hash"]),
        (
            "rate-quota",
            &[
                "barmkin:quota/quota#limit",
                "barmkin:quota/quota#remaining",
                "barmkin:quota/quota#reset-after-ms",
                "barmkin:quota/quota#retry-after-ms",
                "barmkin:quota/quota#take",
            ],
        ),
        ("rbac-scopes", &[]),
        ("replay-window", &["barmkin:replay/replay#claim-delivery", "barmkin:replay/replay#on-duplicate"]),
        ("webhook-signature", &["barmkin:keys/keys#verify"]),
    ];
    for (name, functions) in expected {
        let stock = barmkin_stock::get(name).unwrap();
        // By which it says why it panicked.
        let functions = functions.iter().chain(&["barmkin:log/log#write"]);
        let expected: BTreeSet<_> = functions.map(|name| (*name).to_owned()).collect();
        assert_eq!(imported_functions(stock.component), expected, "{name}");
    }
    assert_eq!(barmkin_stock::all().len(), expected.len());
}

#[test]
fn each_starts_with_one_page_and_may_grow() {
    for stock in barmkin_stock::all() {
        let memories = memories(stock.component);
        let [memory] = memories.as_slice() else {
            panic!("{} has {} memories", stock.name, memories.len());
        };
        assert_eq!(memory.initial, 1, "{}: {memory:?}", stock.name);
        assert_eq!(memory.maximum, None, "{}: the snapshotter grows memory", stock.name);
    }
}

#[test]
fn none_has_what_the_snapshotter_refuses() {
    for stock in barmkin_stock::all() {
        for payload in Parser::new(0).parse_all(stock.component) {
            match payload.unwrap() {
                Payload::StartSection { .. } => panic!("{} has a start function", stock.name),
                Payload::CodeSectionEntry(body) => {
                    for operator in body.get_operators_reader().unwrap() {
                        let operator = operator.unwrap();
                        let sets = matches!(operator, Operator::TableSet { .. });
                        assert!(!sets, "{} changes a table", stock.name);
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn what_a_policy_says_of_itself_is_no_part_of_what_runs() {
    for stock in barmkin_stock::all() {
        let mut described = None;
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(stock.component) {
            match payload.unwrap() {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if section.name() == "barmkin-description" => {
                    assert_eq!(depth, 0, "{}", stock.name);
                    assert!(described.is_none(), "{} has two", stock.name);
                    described = Some(section.data().to_vec());
                }
                _ => {}
            }
        }
        let described = described.unwrap_or_else(|| panic!("{} says nothing", stock.name));
        let text = std::str::from_utf8(&described).unwrap();
        // A text that is nowhere else, neither in code nor in data.
        let (_, summary) = text.split_once("\"summary\":\"").unwrap();
        let words = summary.get(..40).unwrap().as_bytes();
        let found = stock.component.windows(words.len()).filter(|window| *window == words).count();
        assert_eq!(found, 1, "{}: {}", stock.name, String::from_utf8_lossy(words));
    }
}

fn imported_functions(component: &[u8]) -> BTreeSet<String> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component).unwrap() else {
        panic!("not a component");
    };
    let world = resolve.worlds.get(world).unwrap();
    let mut functions = BTreeSet::new();
    for item in world.imports.values() {
        let WorldItem::Interface { id, .. } = item else {
            panic!("only interfaces can be imported");
        };
        let interface = resolve.interfaces.get(*id).unwrap();
        let package = resolve.packages.get(interface.package.unwrap()).unwrap();
        for function in interface.functions.keys() {
            let name = interface.name.as_deref().unwrap();
            let namespace = &package.name.namespace;
            functions.insert(format!("{namespace}:{}/{name}#{function}", package.name.name));
        }
    }
    functions
}

fn memories(component: &[u8]) -> Vec<wasmparser::MemoryType> {
    Parser::new(0)
        .parse_all(component)
        .filter_map(|payload| match payload.unwrap() {
            Payload::MemorySection(section) => Some(section),
            _ => None,
        })
        .flat_map(|section| section.into_iter().map(Result::unwrap))
        .collect()
}
