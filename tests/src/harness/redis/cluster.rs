//! A cluster of Redis.

use super::{Redis, Reply, free_address, wait_until};
use std::path::{Path, PathBuf};

const SLOTS: usize = 16_384;

/// A running cluster, each master with an equal part of the slots.
pub struct RedisCluster {
    /// The masters, in the order of their slots; then replicas.
    pub nodes: Vec<Redis>,
    program: PathBuf,
    settings: Vec<String>,
}

impl RedisCluster {
    /// Starts this many `masters` with further `settings`.
    pub fn start(program: &Path, masters: usize, settings: &[&str]) -> Self {
        let settings = settings.iter().map(|&text| text.to_owned()).collect();
        let mut cluster = Self { nodes: Vec::new(), program: program.to_owned(), settings };
        for index in 0..masters {
            let node = cluster.node();
            let [first, last] =
                [index * SLOTS / masters, (index + 1) * SLOTS / masters - 1].map(|slot| slot.to_string());
            // Masters that were never told would have to agree on who is who.
            let epoch = (index + 1).to_string();
            let told =
                node.ask_all(&[&["CLUSTER", "ADDSLOTSRANGE", &first, &last], &["CLUSTER", "SET-CONFIG-EPOCH", &epoch]]);
            assert!(told.iter().all(|answer| answer.text() == "OK"), "{told:?}");
            cluster.add(node);
        }
        cluster.wait();
        cluster
    }

    /// Adds a replica of the master with this index.
    pub fn add_replica(&mut self, master: usize) {
        let node = self.node();
        self.add(node);
        self.wait();
        let (id, replica) = (self.id(master), self.nodes.last().expect("a node"));
        let is_told = || replica.ask(&["CLUSTER", "REPLICATE", &id]) == Reply::Text("OK".to_owned());
        assert!(wait_until(is_told, || true), "it does not become a replica");
        replica.wait_for_master();
        // All must know it as one before it can be elected.
        let replica = self.id(self.nodes.len() - 1);
        let line = |node: &Redis| {
            let nodes = node.ask(&["CLUSTER", "NODES"]).text().to_owned();
            nodes.lines().any(|line| line.starts_with(&*replica) && line.contains("slave"))
        };
        assert!(wait_until(|| self.nodes.iter().all(line), || true), "the others do not see the replica");
    }

    /// The addresses of all nodes for a client.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// The others' name for a node.
    pub fn id(&self, node: usize) -> String {
        self.nodes[node].ask(&["CLUSTER", "MYID"]).text().to_owned()
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> usize {
        self.nodes[0].ask(&["CLUSTER", "KEYSLOT", key]).text().parse().expect("a slot")
    }

    /// The index of the master that had the slot in the beginning.
    pub fn first_owner(masters: usize, slot: usize) -> usize {
        (0..masters).rfind(|index| index * SLOTS / masters <= slot).expect("a master")
    }

    fn node(&self) -> Redis {
        let port = free_address().port().to_string();
        let own = ["--cluster-enabled", "yes", "--cluster-port", &port];
        let settings: Vec<_> = own.into_iter().chain(self.settings.iter().map(String::as_str)).collect();
        Redis::start(&self.program, &settings)
    }

    fn add(&mut self, node: Redis) {
        if let Some(first) = self.nodes.first() {
            let (ip, port) = (first.address().ip().to_string(), first.address().port().to_string());
            let bus = first.ask(&["CONFIG", "GET", "cluster-port"]);
            let answer = node.ask(&["CLUSTER", "MEET", &ip, &port, bus.list()[1].text()]);
            assert_eq!(answer, Reply::Text("OK".to_owned()));
        }
        self.nodes.push(node);
    }

    /// Waits until all nodes know each other, and all slots are served.
    pub fn wait(&self) {
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        let is_up = |node: &Redis| {
            // It may be reading what it has written down.
            let Reply::Text(info) = node.ask(&["CLUSTER", "INFO"]) else { return false };
            ["cluster_state:ok", &*known].iter().all(|line| info.lines().any(|have| have == *line))
        };
        assert!(wait_until(|| self.nodes.iter().all(is_up), || true), "the cluster does not come up");
    }
}
