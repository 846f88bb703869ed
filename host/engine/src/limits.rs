//! Every bound on what a request, a policy or a configuration may be, and why
//! it is what it is.

use std::time::Duration;

/// Bytes of a request target. Servers in the field stop between 8 and 16 KiB.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Header fields of a request. Envoy and Node stop at 100 or a little above.
pub const HEADERS_MAX: usize = 128;

/// Bytes of all header names and values. nginx and Envoy stop at 32 to 60 KiB.
pub const HEADERS_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a body that a chain needs, unless the route says otherwise.
pub const BODY_BYTES_DEFAULT: usize = 1024 * 1024;

/// Bytes of a body that any route may ask for: it is held in memory.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of all bodies that are held for a verdict. It lets a quarter of
/// [`UNDECIDED_MAX`] have a body of [`BODY_BYTES_DEFAULT`].
pub const BODIES_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Requests at once that are decided or wait for it. At 50 µs each, which is
/// what a chain of four takes, the last of them waits for 13 ms on two threads:
/// past that it is better told to come back. It is below the instances that the
/// pool has by default, so that a check that was begun never lacks one.
pub const UNDECIDED_MAX: usize = 512;

/// Requests whose shadows wait to be asked. A trial is dropped past that: at
/// the share that trials have, a thousand a second of 250 µs are made.
pub const TRIALS_WAITING_MAX: usize = 256;

/// Bytes of the requests and bodies that wait with them: nothing of the room
/// for the bodies that decide.
pub const TRIALS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One part in this many of one processor is what trials may use, at a low
/// priority too: a limit on a container's processor time counts all threads alike.
pub const TRIALS_SHARE: u32 = 4;

/// Bytes of a component. The largest guests seen (regex tables) are 2 MB.
pub const COMPONENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a policy's settings as JSON: they cross into the sandbox once.
pub const SETTINGS_BYTES_MAX: usize = 256 * 1024;

/// CPU time of one check, unless the policy says otherwise.
pub const DEADLINE_DEFAULT: Duration = Duration::from_millis(10);

/// The longest CPU time that a policy may be given: it holds a thread.
pub const DEADLINE_MAX: Duration = Duration::from_secs(1);

/// Wall time of one check: what a stalled store or a preempted thread may
/// cost, in multiples of the deadline.
pub const WALL_PER_DEADLINE: u32 = 20;

/// Nanoseconds for a KiB that is hashed by SHA-1 or SHA-256, for which
/// processors have instructions. The host's work for a policy is charged to the
/// policy's deadline, at about what it costs.
pub const HASH_NS_PER_KIB: u64 = 1_000;

/// Nanoseconds for a KiB that is hashed by SHA-512, for which few have.
pub const SHA512_NS_PER_KIB: u64 = 2_500;

/// Nanoseconds for a KiB that is copied out of a guest, and looked through.
pub const COPY_NS_PER_KIB: u64 = 500;

/// Nanoseconds for each item of a list that crosses.
pub const ITEM_NS: u64 = 100;

/// Nanoseconds for verifying one signature with a public key.
pub const PUBLIC_KEY_NS: u64 = 60_000;

/// Nanoseconds for writing a line to the operator's log.
pub const LOG_LINE_NS: u64 = 5_000;

/// A check that took as many times its deadline is a miss, whatever it answered:
/// the host's work is charged before it is done, so that this is for work that
/// costs more than it is charged for.
pub const MISSED_AT_DEADLINES: u32 = 2;

/// Missed deadlines in a row after which a policy is quarantined: chance (a
/// thread that was preempted) makes one or two, and at the default deadline
/// this many have cost 80 ms of a core.
pub const QUARANTINE_AFTER: u16 = 8;

/// How long a quarantined policy is not asked. It doubles with each probe that
/// misses too.
pub const QUARANTINE_MIN: Duration = Duration::from_secs(1);

/// The longest: a policy that behaves again is back within a minute, and one
/// that never does costs one deadline a minute.
pub const QUARANTINE_MAX: Duration = Duration::from_secs(60);

/// CPU time of `configure`. It parses settings; tables of regexes take 100 ms.
pub const CONFIGURE_DEADLINE: Duration = Duration::from_secs(2);

/// Bytes of linear memory of a policy, unless the policy says otherwise.
pub const MEMORY_BYTES_DEFAULT: usize = 2 * 1024 * 1024;

/// Bytes of linear memory that the pool can give to any policy.
pub const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Entries of all tables of a policy. A Rust guest has a few hundred.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Bytes that one host call may copy out of a guest.
pub const HOSTCALL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Host calls of one check. A chain of lookups needs ten.
pub const HOST_CALLS_MAX: u32 = 1_000;

/// Calls of one check that ask a store. A chain of lookups needs ten, and each
/// may be a journey to another machine.
pub const STORE_CALLS_MAX: u32 = 64;

/// Candidates of one `keys.verify`: each costs one comparison.
pub const CANDIDATES_MAX: usize = 32;

/// Candidates of one `keys.verify` that are tried under each secret where
/// trying one means hashing everything again (Ed25519), unless more secrets
/// than that are in force: a sender that rotates sends one signature for each.
pub const PUBLIC_KEY_CANDIDATES: usize = 4;

/// Parts of one signature base.
pub const PARTS_MAX: usize = 1_024;

/// Secrets of one key: each costs one MAC of the body.
pub const SECRETS_MAX: usize = 8;

/// Policies of a chain. Each is an instance per request.
pub const CHAIN_MAX: usize = 32;

/// Lines one check may log, and the bytes of a line's parts.
pub const LOG_LINES_MAX: u32 = 16;
/// Bytes of a log message.
pub const LOG_MESSAGE_BYTES_MAX: usize = 1_024;
/// Pairs of a log line.
pub const LOG_PAIRS_MAX: usize = 8;
/// Bytes of a pair's name.
pub const LOG_NAME_BYTES_MAX: usize = 64;
/// Bytes of a pair's value.
pub const LOG_VALUE_BYTES_MAX: usize = 256;
/// Lines a second that one policy may log over all requests.
pub const LOG_LINES_PER_SECOND: u32 = 100;

/// Bytes of a deny code: it becomes a header and a metric label.
pub const CODE_BYTES_MAX: usize = 64;

/// Bytes of a deny's detail: one log line.
pub const DETAIL_BYTES_MAX: usize = 1_024;

/// Header fields of one decision, and the bytes of a value.
pub const DECISION_HEADERS_MAX: usize = 32;
/// Bytes of a header value in a decision.
pub const DECISION_VALUE_BYTES_MAX: usize = 4 * 1024;

/// Bytes of a principal's id.
pub const PRINCIPAL_ID_BYTES_MAX: usize = 256;
/// Roles, scopes or attributes of a principal, each.
pub const PRINCIPAL_ITEMS_MAX: usize = 256;
/// Bytes of a role, a scope, or an attribute's name or value.
pub const PRINCIPAL_ITEM_BYTES_MAX: usize = 1_024;

/// Bytes of a nonce a policy makes itself, or of a quota's subject.
pub const SUBJECT_BYTES_MAX: usize = 1_024;

/// Named inputs of a manifest, of each kind.
pub const MANIFEST_ITEMS_MAX: usize = 64;

/// How long a claim under way is held unless it is renewed. A gate that died
/// leaves its deliveries in progress for as long: senders that try again within
/// seconds are told to come back, and those that do after a minute are not.
pub const LEASE: Duration = Duration::from_secs(30);

/// How often a lease is renewed while its request lives: twice it may fail.
pub const LEASE_RENEWED_EVERY: Duration = Duration::from_secs(10);

/// Entries of a nonce space or a quota that a store forgets with one call, when
/// they have expired: more than a call adds, so that they never pile up, and few
/// enough that no request waits after a store was idle for a day.
pub const FORGOTTEN_AT_ONCE: usize = 8;

/// By how much a sender's clock may be ahead of ours, at least: a policy that
/// accepts a signature from further ahead says so by the end of its claims.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Quotas that are granted under one name: each is looked up by each take.
pub const GRANTED_QUOTAS_MAX: usize = 8;

/// The limit of a quota that remembers every take: a sliding window, or
/// concurrency. Each costs memory, and a refusal looks through them.
pub const REMEMBERED_TAKES_MAX: u64 = 10_000;

/// When to try again where too many requests are under way: any may end at any
/// moment.
pub const CONCURRENCY_RETRY: Duration = Duration::from_secs(1);

/// How long loading a policy may take, by the estimate, unless the policy says
/// otherwise. The largest guests that are planned (2 MB of Cedar) are estimated
/// at half of it; what Rust makes of a rule of its own, at a fortieth.
pub const COMPILE_BUDGET_DEFAULT: Duration = Duration::from_secs(50);

/// The longest that a policy may be given: past it a gate that restarts without
/// its cache is away for minutes.
pub const COMPILE_BUDGET_MAX: Duration = Duration::from_secs(120);

/// Bytes of memory that compiling one function may take, by the estimate. As
/// many are compiled at once as there are processors; what all of them take
/// together is bounded by the budget of time, since memory is a part of that.
pub const COMPILE_MEMORY_MAX: u64 = 1 << 30;

/// Levels of components within components. Tools that compose make three.
pub const COMPONENT_DEPTH_MAX: u64 = 16;

/// Modules and components in a component, on all levels: each of them takes
/// memory when it is compiled, even when it is empty. Tools that compose make
/// tens.
pub const COMPONENTS_MAX: u64 = 256;

/// Types within types of one section, which are read by recursion. Interfaces
/// have three levels.
pub const COMPONENT_TYPE_DEPTH_MAX: u64 = 256;

/// Mutable globals of all modules of a component. Rust guests have three,
/// those of languages that make a global of each variable some hundreds.
pub const GLOBALS_MUTABLE_MAX: u64 = 4_000;

/// Memories of all modules of a component. Guests have one.
pub const MEMORIES_MAX: u64 = 16;

/// Tables of all modules of a component. Guests have two.
pub const TABLES_MAX: u64 = 64;

/// Entries that all segments put into tables: what fits into a table, many
/// times.
pub const ELEMENTS_MAX: u64 = 500_000;

/// Types, imports, exports, globals, aliases and segments of a component. Rust
/// guests of 2 MB have some thousands.
pub const ITEMS_MAX: u64 = 200_000;

/// Locals of a function times its blocks: the compiler keeps something for
/// each pair. The largest function of a 2 MB guest has a million.
pub const LOCALS_IN_BLOCKS_MAX: u64 = 32_000_000;

/// The most problems with its settings that are shown of a policy: after fixing
/// the first tens of them, one starts over.
pub const SETTING_PROBLEMS_MAX: usize = 64;

/// Bytes of each text of such a problem: some lines.
pub const SETTING_PROBLEM_BYTES_MAX: usize = 1_024;
